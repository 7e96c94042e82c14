"""`simulate doctor` sees what is wrong with an installation, and says what to do."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator import doctor, folders, versions
from simulator.cli import call
from simulator.errors import SimulationError


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder and a folder for temporary files of its own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PREFECT_SIMULATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor.tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.fixture
def told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """The exit code, and what is said of each thing, by name. The small simulation is a given one."""

    def told(states: list[str] | Exception | None = None) -> tuple[int, dict[str, Any]]:
        def simulated() -> tuple[list[str], bool]:
            if isinstance(states, Exception):
                raise states
            return states or ["Completed"] * 3, False

        monkeypatch.setattr(doctor, "_simulated", simulated)
        code = call(["doctor", "--json"])
        said = json.loads(capsys.readouterr().out)
        assert said["works"] == (code == 0)
        return code, {check["name"]: check for check in said["checks"]}

    return told


def test_here_everything_works_and_a_real_simulation_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_SIMULATOR_CACHE")  # a new database would take longer
    assert call(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ok    a small simulation: 3 runs Completed in " in out
    assert "ok    telemetry: off" in out


def test_a_conflict_is_told_and_nothing_is_run(told, monkeypatch) -> None:
    monkeypatch.setattr(versions, "problems", lambda: ["a does not work with b: install 'c'"])
    code, said = told(AssertionError("it was run"))
    assert code == 1
    assert said["Prefect"]["status"] == "wrong"
    assert said["Prefect"]["found"] == "a does not work with b: install 'c'"
    assert said["a small simulation"]["found"] == "not tried"


def test_another_python(told, monkeypatch) -> None:
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.10.2")
    code, said = told()
    assert (code, said["Python"]["status"], said["Python"]["found"]) == (1, "wrong", "3.10.2")
    assert ">=3.11" in said["Python"]["advice"]


def test_a_requirement_that_is_not_met_is_wrong_and_an_extra_is_a_note(told, monkeypatch) -> None:
    there = versions.metadata.version

    def version(library: str) -> str:
        if library == "dbt-core":
            raise versions.metadata.PackageNotFoundError(library)
        return "1.0.0" if library == "duckdb" else there(library)

    monkeypatch.setattr(versions.metadata, "version", version)
    code, said = told()
    assert code == 1
    assert said["requirements"]["status"] == "wrong"
    assert said["requirements"]["found"] == "duckdb<3,>=2 (1.0.0 is installed)"
    assert said["extra dbt"]["status"] == "note"
    assert "dbt-core<1.12,>=1.11 (is not installed)" in said["extra dbt"]["found"]
    assert "pip install 'prefect-simulator[dbt]'" in said["extra dbt"]["advice"]


def test_a_cache_folder_that_cannot_be_is_wrong(told, surroundings: Path) -> None:
    (surroundings / "cache").write_text("")
    code, said = told()
    assert (code, said["cache"]["status"]) == (1, "wrong")
    assert "PREFECT_SIMULATOR_CACHE" in said["cache"]["advice"]


def test_a_damaged_database_is_a_note(told, surroundings: Path) -> None:
    (surroundings / "cache").mkdir()
    (surroundings / "cache" / "prefect-3.9.1-0123456789abcdef.db").write_text("half")
    code, said = told()
    assert (code, said["cache"]["status"]) == (0, "note")
    assert "prefect-3.9.1-0123456789abcdef.db" in said["cache"]["found"]


def test_what_a_killed_process_has_left_is_counted_and_what_lives_is_not(
    told, surroundings: Path
) -> None:
    where = surroundings / "tmp"
    dying = (
        "import sys; from pathlib import Path; from simulator.folders import throw_away\n"
        "with throw_away('simulate-', Path(sys.argv[1])) as folder:\n"
        "    print(folder.name, flush=True); input()"
    )
    with (
        folders.throw_away("prefect-simulator-", where),
        subprocess.Popen(
            [sys.executable, "-c", dying, str(where)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert told()[1]["leftovers"]["status"] == "ok"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        code, said = told()
    assert (code, said["leftovers"]["status"]) == (0, "note")
    assert said["leftovers"]["found"] == f"1 of killed runs in {where}, such as {name}"
    assert (where / name).exists()


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        (SimulationError("no\nway"), "no way"),
        (["Completed", "Failed", "Completed"], "ended Completed, Failed, Completed"),
    ],
)
def test_a_simulation_that_does_not_work_is_wrong(told, outcome, found) -> None:
    code, said = told(outcome)
    assert code == 1
    assert said["a small simulation"]["status"] == "wrong"
    assert said["a small simulation"]["found"] == found
