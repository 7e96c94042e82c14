"""What `advance` shows: on a terminal a line, elsewhere nothing."""

import io
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow

from simulator import Simulation, progress
from simulator.cli import call

EXAMPLES = Path(__file__).parents[1] / "examples"
START = datetime(2026, 1, 5, tzinfo=UTC)


@flow
def job() -> None: ...


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def shown(monkeypatch):
    """What two virtual days of hourly runs show, if each look finds half a second gone."""
    monkeypatch.setattr(progress, "EVERY", 0.0)

    def shown(terminal):
        stream = Stream(terminal)
        with Simulation(start=START) as sim:
            sim.deploy(job, name="dev", cron="0 * * * *")
            monkeypatch.setattr(sys, "stderr", stream)
            sim.advance(hours=5.5)
            monkeypatch.undo()
        return stream.getvalue()

    return shown


def test_a_terminal_shows_date_runs_speed_and_an_estimate_and_is_clean_again(shown):
    text = shown(terminal=True)
    lines = text.split("\r\x1b[K")
    assert lines[0] == lines[-1] == ""
    assert lines[1].startswith("2026-01-05 00:00 UTC, 0 runs, ")
    assert any(line.startswith("2026-01-05 04:00 UTC, 4 runs, ") for line in lines)
    assert lines[-2].startswith("2026-01-05 05:")
    assert all(" s a second, " in line and line.endswith(" left") for line in lines[-5:-1])


def test_elsewhere_it_is_silent(shown):
    assert shown(terminal=False) == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_a_project_shows_it_on_the_terminal_where_the_prints_of_its_flows_do_not_go(
    monkeypatch, capfd, quiet
):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    terminal = os.dup(2)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: os.path.sameopenfile(2, terminal))
    options = ["--start", "2026-03-28T23:30:00Z", "--days", "0.1", *(["--quiet"] if quiet else [])]
    call(["project", str(EXAMPLES / "weather"), *options])
    os.close(terminal)
    shown = capfd.readouterr().err.split("\r\x1b[K")
    if quiet:
        assert shown == [""]
    else:
        assert shown[0] == shown[-1] == ""
        assert shown[-2].startswith("2026-03-29 01:")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (7205, "120 min 05 s")]
)
def test_an_estimate_in_words(seconds, words):
    assert progress._in_words(timedelta(seconds=seconds).total_seconds()) == words
