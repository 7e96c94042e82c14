"""The README's snippets run as they stand, and its commands exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


SNIPPETS = blocks("python")
TESTS = [snippet for snippet in SNIPPETS if "\ndef test_" in snippet]
OF_PROJECT = [snippet for snippet in SNIPPETS if "(project)" in snippet]
SCRIPTS = [snippet for snippet in SNIPPETS if snippet not in [*TESTS, *OF_PROJECT]]
COMMANDS = [shlex.split(line) for block in blocks("console") for line in block.splitlines()]


def test_there_is_something_to_run() -> None:
    assert (len(TESTS), len(OF_PROJECT), len(SCRIPTS)) == (1, 1, 2)
    assert len(COMMANDS) >= 4


def test_the_first_test_passes_as_written(pytester: pytest.Pytester) -> None:
    [snippet] = TESTS
    pytester.makepyfile(test_mine=snippet)
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)


def test_the_first_test_has_about_twenty_lines() -> None:
    [snippet] = TESTS
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 20


def test_the_test_of_a_project_passes_beside_its_simulation_toml(
    pytester: pytest.Pytester,
) -> None:
    shutil.copytree(ROOT / "examples" / "shop", pytester.path, dirs_exist_ok=True)
    [told], [snippet] = blocks("toml"), OF_PROJECT
    (pytester.path / "simulation.toml").write_text(told)
    tests = pytester.mkdir("tests")
    (tests / "test_orders.py").write_text(snippet)
    (tests / "test_wrong.py").write_text(snippet.replace("days=2", "days=1"))
    said = pytester.runpytest_subprocess("tests")
    said.assert_outcomes(passed=1, failed=1)
    said.stdout.fnmatch_lines(["FAILED tests/test_wrong.py*"])


def printed(snippet: str, folder: Path) -> list[str]:
    """The lines that a script prints."""
    (folder / "script.py").write_text(snippet)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_script_prints_a_run_per_night(tmp_path: Path) -> None:
    lines = [line for line in printed(SCRIPTS[0], tmp_path) if line.startswith("2026-")]
    assert [line.split(" Completed ")[0] for line in lines] == [
        "2026-03-29 00:30:00+00:00",
        "2026-03-29 23:30:00+00:00",  # summer time began
    ]


def test_the_fault_breaks_the_promise_and_is_what_explains_it(tmp_path: Path) -> None:
    lines = printed(SCRIPTS[1], tmp_path)
    first, said = lines[:2]
    assert first == "BROKEN: no two runs of load/dev at once"
    assert said.startswith("  broken first at 2026-01-02T03:00:")
    assert said.endswith("two were Running")
    assert sum("loses answers to requests to POST /deploy" in line for line in lines) >= 1


MAKE = [command for command in COMMANDS if command[0] == "make"]
MAKE += [shlex.split(text) for text in re.findall(r"`(make [^`]+)`", TEXT)]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("command", MAKE, ids=" ".join)
def test_every_make_command_exists(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        [*command, "--dry-run"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


SIMULATE = [command[1:] for command in COMMANDS if command[0].endswith("/simulate")]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", SIMULATE, ids=" ".join)
def test_every_simulate_command_works(arguments: list[str], tmp_path: Path) -> None:
    if "--out" in arguments:
        arguments = [*arguments]
        arguments[arguments.index("--out") + 1] = str(tmp_path / "out")
    command = [sys.executable, "-c", "from simulator.cli import main; main()", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
