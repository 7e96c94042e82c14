"""Runs that never end: they are told, also if nobody waits for the end of the simulated days."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prefect import flow

from simulator import Simulation
from simulator.cli import call
from simulator.project import ProjectSimulation
from simulator.project.findings import endless, needs_stub

CRAWLS = """
import time
from urllib.error import URLError
from urllib.request import urlopen
from prefect import flow

@flow
def crawls():
    page = 1
    while True:
        try:
            urlopen(f"https://prices.invalid/{page}")
        except URLError:
            page += 1
            time.sleep(2)
            if page == 50:
                open(MARK, "w").close()

if __name__ == "__main__":
    crawls.serve("hourly", cron="0 * * * *")
"""


@flow
def crawls(pages: int) -> None:
    import time

    for page in range(pages):
        try:
            urlopen(f"https://prices.invalid/{page}")
        except URLError:
            time.sleep(1)
    time.sleep(3600)


def test_a_run_that_asks_on_and_on_for_what_does_not_answer_is_endless() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(crawls, name="dev", parameters={"pages": 150})
        sim.trigger("crawls/dev")
        sim.trigger("crawls/dev", parameters={"pages": 99})
        sim.advance(minutes=30)
        history = sim.history()
        (one,) = endless(history)
        assert (one.kind, one.subject, one.times) == ("endless", "crawls/dev", 1)
        assert "goes on for 30m" in one.sentence
        assert "it has asked for prices.invalid 150 times" in one.sentence
        assert "test_endless.py:" in one.where
        ((asked, runs),) = needs_stub(history).items()
        assert (asked.partition(" ")[0], runs) == ("prices.invalid", 2)
        sim.advance(hours=1)
        assert list(endless(sim.history())) == []  # it has ended, late or not
        assert needs_stub(sim.history()) == {}


def test_ctrl_c_ends_the_days_and_what_was_lived_is_told_and_kept(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    mark = tmp_path / "mark"
    (project / "serves.py").write_text(CRAWLS.replace("MARK", repr(str(mark))))
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "project", "--days", "3000", "--json"],
        cwd=project,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not mark.exists() and process.poll() is None:
        time.sleep(0.1)  # until its first run has come that far, in a process of its own
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "")
    told = json.loads(out)
    assert told["stopped"] == "interrupted"
    assert told["folder"] == str(project)
    (row,) = told["deployments"]
    assert (row["deployment"], row["runs"] >= 1) == ("crawls/hourly", True)
    assert (project / "results" / "project.duckdb").exists()
    assert (project / "results" / "project.html").exists()
    assert list(tmp_path.glob("simulate-*")) == []
    assert list(tmp_path.glob("prefect-simulator-*")) == []


_COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below some shells
from simulator.cli import main
main()
"""


def test_what_holds_the_clock_ends_the_days_and_what_was_lived_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serves.py").write_text(
        "import time\n"
        "from datetime import datetime\n"
        "from prefect import flow\n\n\n"
        "@flow\ndef spins():\n"
        "    while datetime.now().hour == 3:\n        sum(range(1000))\n\n\n"
        'if __name__ == "__main__":\n    spins.serve("hourly", cron="0 * * * *")\n'
    )
    impatient = partial(ProjectSimulation, stall_limit=2.0)
    monkeypatch.setattr("simulator.project.opening.ProjectSimulation", impatient)
    code = call(["project", str(tmp_path), "--days", "1", "--start", "2026-01-05"])
    out, err = capfd.readouterr()
    assert code == 2
    assert "spins/hourly" in out
    assert "Stopped before its time" in out
    assert "simulate: " in err
    assert "spins" in err


def test_caveats_name_the_file_in_the_project_s_own_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serves.py").write_text(
        "import subprocess\n"
        "from prefect import flow\n\n\n"
        '@flow\ndef calls():\n    subprocess.run(["python3", "-c", ""], check=True)\n\n\n'
        'if __name__ == "__main__":\n    calls.serve("hourly", cron="0 * * * *")\n'
    )
    monkeypatch.chdir(tmp_path)
    assert call(["project", "--days", "0.1", "--json"]) == 0
    out = capfd.readouterr().out
    told = json.loads(out[out.index("{\n") :])  # what `serve` prints reaches a captured stream
    (caveat,) = told["caveats"]
    assert f"({tmp_path}/serves.py:7, run " in caveat
