"""`simulate upgrade`: two versions, one report, and what is said if there cannot be one."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import duckdb
import pytest

from simulator.cli import call
from simulator.history import kept_outcomes
from simulator.upgrade import comparing
from simulator.upgrade.environments import Environment, environment

ROOT = Path(__file__).parents[2]
HERE = metadata.version("prefect")

SCENARIOS = """
import os
from prefect import flow
from simulator.scenario import scenario

@flow
def load(path):
    import duckdb
    with duckdb.connect(path) as con:
        con.execute("create table if not exists loaded as select 1 as x, now() as at_")

@scenario(name="loading", question="Is it loaded?", start="2026-01-05T00:00:00Z")
def act(sim, days):
    sim.deploy(load, name="dev", cron="0 3 * * *", parameters={"path": str(sim.warehouse.path)})
    sim.advance(hours=4 + int(os.environ.get("LONGER", 0)))

@scenario(name="breaking", question="Does it break?", start="2026-01-05T00:00:00Z")
def breaks(sim, days):
    if "LONGER" in os.environ:
        raise ValueError("here only")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "loading.py").write_text(SCENARIOS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_version_against_itself_shows_no_difference(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(["upgrade", "--to", HERE, "--jobs", "1", "--json"]) == 0
    said = capfd.readouterr()
    kept = kept_outcomes(project / "results" / "upgrade.duckdb")
    assert {one.key[:2] for one in kept} == {
        (f"{name} [default]", f"Prefect {HERE}{again}")
        for name in ("loading", "breaking")
        for again in ("", ", again")
    }
    both = {"same": True, "before": HERE, "after": HERE, "seed": 0}
    assert json.loads(said.out) == both | {"variants": 2, "differences": []}
    assert said.err.count(f"Prefect {HERE}: loading [default]") == 2


def test_what_differs_is_said_and_written_down(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other environment is this one, in which time goes on for another day."""
    other = project / "python"
    other.write_text(f'#!/bin/sh\nLONGER=24 exec "{sys.executable}" "$@"\n')
    other.chmod(0o755)

    def fake(asked: str, making: object) -> Environment:
        return Environment(asked, other if asked == "3.9.99" else Path(sys.executable))

    monkeypatch.setattr(comparing, "environment", fake)
    assert call(["upgrade", "--to", "3.9.99", "--jobs", "1", "--page", "page.md"]) == 1
    said = capfd.readouterr().out
    assert (
        f"breaking [default]\n      {HERE}: ran to its end\n      3.9.99: ValueError: here only"
        in said
    )
    assert "a run that the other side has not (1)\n  loading [default]: load/dev\n" in said
    assert "      3.9.99: Completed, scheduled 2026-01-06T03:00:00Z\n" in said
    page = (project / "page.md").read_text()
    assert page.startswith(f"# From Prefect {HERE} to 3.9.99\n")
    assert "## Does it break?" in page
    assert "| crashed on one side | default |  | ran to its end | ValueError: here only" in page
    assert sorted(file.name for file in project.iterdir()) == [
        "page.md", "python", "results", "scenarios",
    ]  # fmt: skip
    results = project / "results" / "upgrade.duckdb"
    before, after = f"Prefect {HERE}", "Prefect 3.9.99"
    sides = {one.key[:2]: one for one in kept_outcomes(results)}
    assert set(sides) == {
        (name, side)
        for name in ("loading [default]", "breaking [default]")
        for side in (before, after)
    }
    history = sides["loading [default]", after].history
    assert history is not None
    assert [run.scheduled.day for run in history.runs()] == [5, 6]
    with duckdb.connect(str(results), read_only=True) as file:
        told = file.execute(
            "select scenario, variant, expectation, passed, message from verdicts order by 1"
        ).fetchall()
        passed = file.execute("select scenario, variant from variants where passed").fetchall()
        (commands,) = file.execute("select distinct command from variants").fetchall()
    assert [one[:4] for one in told] == [
        (name, after, f"as with {before}", False)
        for name in ("breaking [default]", "loading [default]")
    ]
    assert told[0][4].startswith(
        f"crashed on one side: {before}: ran to its end; {after}: ValueError: here only"
    )
    assert sorted(passed) == [("breaking [default]", before), ("loading [default]", before)]
    assert commands == (
        f"simulate upgrade --from {HERE} --to 3.9.99 --seed 0 --scenarios scenarios",
    )
    assert after in (project / "results" / "upgrade.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "to which version? Name it: simulate upgrade --to 3.9"),
        (["--to", "newest"], "'newest' is no version of Prefect: '3.9' and '3.9.1' are"),
        (["--to", "2.20"], "Prefect 2.20 is not known to this version of prefect-simulator"),
        (["--to", "3.9", "--jobs", "0"], "jobs (0) must be at least 1"),
        (["--to", "3.9", "--page", "no/page.md"], "there is no folder 'no' for the page"),
        (["--to", "3.9", "loadin"], "no scenario 'loadin'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    project: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert call(["upgrade", *arguments]) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"simulate: {said}")


def test_without_a_network_nothing_is_left_behind(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = project / "cache"
    monkeypatch.setenv("PREFECT_SIMULATOR_CACHE", str(cache))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(project / "uv"))
    other = "3.8" if HERE.startswith("3.9") else "3.9"
    assert call(["upgrade", "--to", other, "--page", "page.md"]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        f"simulate: no environment with Prefect {other} can be made: "
        "the package registry cannot be reached"
    )
    assert [one.suffix for one in (cache / "environments").iterdir()] == [".lock"]
    assert not (project / "page.md").exists()


def test_scenarios_that_do_not_import_on_one_side_are_said_in_one_line(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = project / "python"
    other.write_text(f'#!/bin/sh\nLONGER=1 exec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    (project / "scenarios" / "loading.py").write_text(
        SCENARIOS + "\nif 'LONGER' in os.environ: import no_such_module\n"
    )
    monkeypatch.setattr(comparing, "environment", lambda asked, _: Environment(asked, other))
    assert call(["upgrade", "--to", "3.9.99"]) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith(f"simulate: with Prefect {HERE}: scenarios/loading.py does not import")


def test_ctrl_c_ends_it_and_leaves_nothing_behind(project: Path) -> None:
    command = [sys.executable, "-m", "simulator.cli", "upgrade", "--to", HERE, "--page", "page.md"]
    (project / "tmp").mkdir()
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(project / "tmp"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith(f"Prefect {HERE}: ")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out == ""
    assert not (project / "page.md").exists()
    assert not (project / "results").exists()
    assert list((project / "tmp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the page was written on Python 3.11")
def test_the_page_about_3_9_is_what_the_command_writes_today(tmp_path: Path) -> None:
    """Needs the registry, once: the environments stay in the cache."""
    page = ROOT / "docs" / "upgrades" / "3.8-to-3.9.md"
    [command] = re.findall(r"`(simulate upgrade [^`]+)`", page.read_text())
    pinned = [
        re.search(r"^prefect==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)[1]
        for lock in ("requirements-3.8.lock", "requirements.lock")
    ]
    assert command.split()[2:6] == ["--from", pinned[0], "--to", pinned[1]]
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command.replace("simulate", "simulator.cli", 1)),
         "--page", tmp_path / "page.md"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "the package registry cannot be reached" in done.stderr and "CI" not in os.environ:
        pytest.skip("the package registry cannot be reached")
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "page.md").read_text() == page.read_text()


@pytest.mark.slow
def test_an_environment_is_made_once_and_then_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SIMULATOR_CACHE", str(tmp_path))
    other = "3.8" if HERE.startswith("3.9") else "3.9"
    told: list[str] = []
    made = environment(other, told.append)
    assert made.prefect.startswith(f"{other}.")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    assert environment(other, told.append) == made
    assert len(told) == 1
    code = (
        "import prefect, duckdb; from simulator import versions\n"
        "print(prefect.__version__, versions.problems())"
    )
    said = subprocess.run([made.python, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"{made.prefect} []"
