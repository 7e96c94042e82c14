"""Scripts that serve: run as `__main__`, and what they serve lives on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import call
from simulator.project import course, load, opened

SERVES = """
from prefect import flow, serve
from parts import step


@flow
def hourly():
    step()


@flow
def never(): ...


if __name__ == "__main__":
    serve(hourly.to_deployment("a", cron="0 * * * *"), never.to_deployment("b"))
"""

PARTS = """
from prefect import task

CALLS = []


@task
def step():
    CALLS.append(1)
    if len(CALLS) > 1:
        raise RuntimeError("one process for two runs")
"""

ENDS = """
import sys

from prefect import flow


@flow
def main(): ...


if __name__ == "__main__":
    sys.exit({code})
    main.serve("a")
"""


def simulate(*arguments: str) -> str:
    """What the command prints, in a process of its own: nothing of what the script says is among it."""
    command = [sys.executable, "-c", "from simulator.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_a_script_serves_runs_in_processes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "serves.py").write_text(SERVES)
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "ends_well.py").write_text(ENDS.format(code=0))
    (tmp_path / "ends_badly.py").write_text(ENDS.format(code=3))
    course = json.loads(simulate("project", str(tmp_path), "--days", "0.1", "--json"))
    assert [(one["deployment"], one["ends"]) for one in course["deployments"]] == [
        ("hourly/a", {"Completed": 2}),
        ("never/b", {}),
    ]
    assert [(one["name"], one["cause"]) for one in course["not_loaded"]] == [
        ("ends_badly.py", "it ended with exit code 3")
    ]
    assert course["findings"] == []
    listed = simulate("project", str(tmp_path), "--script", str(tmp_path / "serves.py"), "--list")
    assert listed.splitlines() == [
        "hourly/a (serves.py:16)",
        "never/b (serves.py:16)",
    ]


def test_a_script_of_a_package_is_run_as_python_runs_a_module(tmp_path: Path) -> None:
    files = {
        "src/jobs/__init__.py": "",
        "src/jobs/daily/serving.py": (
            "import sys\n\nfrom ..parts import load\nfrom .times import HOURLY\n\n"
            'if __name__ == "__main__":\n'
            '    assert (__package__, sys.argv[1:]) == ("jobs.daily", [])\n'
            '    load.serve("dev", cron=HOURLY)\n'
        ),
        "src/jobs/daily/times.py": 'HOURLY = "0 * * * *"\n',
        "src/jobs/parts.py": (
            "from prefect import flow\n\nfrom .words import LOADED\n\n\n"
            "@flow\ndef load():\n    assert LOADED\n"
        ),
        "src/jobs/words.py": "LOADED = True\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    script = ("--script", str(tmp_path / "src" / "jobs" / "daily" / "serving.py"))
    for given in ((), script):
        told = json.loads(simulate("project", str(tmp_path), *given, "--days", "0.1", "--json"))
        assert told["not_loaded"] == []
        assert [(one["deployment"], one["ends"]) for one in told["deployments"]] == [
            ("load/dev", {"Completed": 2})
        ]
    (tmp_path / "src" / "jobs" / "parts.py").write_text("from ....beyond import load\n")
    with opened(tmp_path) as sim:
        load(sim)
        [one] = sim.unloaded
    assert one.cause.startswith("ImportError: attempted relative import beyond top-level package")


def test_what_a_script_that_cannot_be_run_deploys_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "serves.py").write_text(
        "import not_there\nfrom prefect import flow\n\n\n@flow\ndef child(): ...\n\n\n"
        'if __name__ == "__main__":\n    child.serve("a")\n'
    )
    (tmp_path / "calls.py").write_text(
        "from prefect.deployments import run_deployment\n\n\n"
        'def call():\n    run_deployment("child/a")\n'
    )
    with opened(tmp_path) as sim:
        load(sim)
        assert course(sim).findings == ()


def test_what_never_ran_is_told_once_time_has_passed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "serves.py").write_text(SERVES)
    (tmp_path / "parts.py").write_text(PARTS)
    assert call(["project", str(tmp_path), "--days", "0.01", "--start", "2026-01-05"]) == 0
    said = capfd.readouterr().out
    assert "Never ran: 2 of 2" in said
    assert "median" not in said  # a table of nothing
    assert call(["project", str(tmp_path), "--check"]) == 0
    assert "Never ran" not in capfd.readouterr().out
