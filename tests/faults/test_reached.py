"""Faults that strike when a run has reached a state, and processes that are killed from outside."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from prefect import flow
from prefect.deployments import run_deployment

from simulator import Simulation, SimulationError
from simulator.faults import (
    DeploymentPaused,
    FileDamaged,
    ProcessKilled,
    TableAltered,
    WorkerAway,
)

T0 = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

TOLD: list[str] = []


@flow
def load():
    try:
        time.sleep(600)
    finally:
        TOLD.append("load")


@flow(retries=1, retry_delay_seconds=60)
def tries_twice():
    time.sleep(60)
    raise ValueError("not yet")


@flow
def parent():
    return run_deployment("load/dev", poll_interval=5).state.name


@flow
def with_subflow():
    load()


@flow
def extract(path):
    Path(path).write_text("0123456789")


@flow
def report():
    pass


def hourly(sim, *flows, **options):
    for number, one in enumerate(flows):
        sim.deploy(one, name="dev", cron=f"{15 * number} * * * *", **options)


def test_the_processes_of_all_runs_that_go_on_are_killed_at_an_instant():
    TOLD.clear()
    with Simulation(start=T0) as sim:
        sim.deploy(load, name="dev")
        sim.deploy(with_subflow, name="dev")
        sim.inject(ProcessKilled(flow="load", at=T0 + 5 * MINUTE, exit_code=137))
        for deployment in ("load/dev", "load/dev", "with-subflow/dev"):
            sim.trigger(deployment)
        sim.advance(hours=1)
        first, second, inner = sim.runs("load")
        assert [run.state for run in (first, second)] == ["Crashed", "Crashed"]
        assert "status code: 137" in first.message
        assert [run.end < T0 + 6 * MINUTE for run in (first, second)] == [True, True]
        # A subflow dies with its parent's process, and nobody reports it.
        (outer,) = sim.runs("with-subflow")
        assert (outer.state, inner.state) == ("Crashed", "Running")
        assert TOLD == []  # not even their `finally`
        assert [sim.explain(run).fault for run in (first, second, outer, inner)] == [0] * 4


def test_a_process_is_killed_when_its_run_reaches_a_state():
    with Simulation(start=T0) as sim:
        sim.deploy(tries_twice, name="dev")
        sim.inject(ProcessKilled(flow="tries-twice", reached=("tries-twice", "AwaitingRetry")))
        sim.trigger("tries-twice/dev")
        sim.advance(hours=1)
        (run,) = sim.runs("tries-twice")
        names = [state.name for state in run.states]
        assert names[-2:] == ["AwaitingRetry", "Crashed"]
        assert sim.explain(run).fault == 0
        struck = [note for note in sim.history().notes if note.kind == "fault"]
        assert [note.at for note in struck] == [run.states[-2].timestamp]


def test_a_parent_is_killed_when_its_child_runs():
    with Simulation(start=T0) as sim:
        sim.deploy(load, name="dev")
        sim.deploy(parent, name="dev")
        sim.inject(ProcessKilled(flow="parent", reached=("load", "RUNNING")))
        sim.trigger("parent/dev")
        sim.advance(hours=1)
        (above,), (child,) = sim.runs("parent"), sim.runs("load")
        assert (above.state, child.state) == ("Crashed", "Completed")
        assert child.start <= above.end < child.end


def test_on_lasts_and_between_say_which_and_for_how_long():
    with Simulation(start=T0 - 2 * MINUTE) as sim:
        hourly(sim, load, report)
        sim.inject(WorkerAway(reached=("load", "Completed"), on=[1], lasts=HOUR))
        sim.advance(hours=5)
        begun = {run.scheduled: run.start - run.scheduled for run in sim.runs("report")}
    # The second load ends at 01:10, and the worker is away until 02:10.
    late = [begun[T0 + hours * HOUR + 15 * MINUTE] > MINUTE for hours in range(4)]
    assert late == [False, True, False, False]


def test_while_it_lasts_it_does_not_strike_again():
    with Simulation(start=T0 - 2 * MINUTE) as sim:
        hourly(sim, load)
        sim.start_worker("default", "other")
        sim.inject(WorkerAway(reached=("load", "Completed"), worker="other", lasts=1.5 * HOUR))
        sim.advance(hours=4.5)
        struck = [note.at.hour for note in sim.history().notes if note.kind == "fault"]
    assert struck == [0, 2, 4]


def test_a_window_is_for_what_is_reached_in_it_and_ends_what_it_began():
    between = (T0 + HOUR, T0 + 3 * HOUR)
    with Simulation(start=T0 - 2 * MINUTE) as sim:
        hourly(sim, load, report)
        fault = DeploymentPaused(
            deployment="report/dev", reached=("load", "Completed"), between=between
        )
        sim.inject(fault)
        sim.advance(hours=5)
        hours = [run.scheduled.hour for run in sim.runs("report")]
    assert hours == [0, 3, 4]


def test_a_file_is_damaged_whenever_it_has_been_written(tmp_path):
    path = tmp_path / "feed"
    with Simulation(start=T0 - 2 * MINUTE) as sim:
        hourly(sim, extract, parameters={"path": str(path)})
        when = {"reached": ("extract", "Completed"), "probability": 0.5, "lasts": 20 * MINUTE}
        sim.inject(FileDamaged(path=str(path), how="partial", **when))
        seen = []
        for _ in range(12):
            sim.advance_to(sim.now.replace(minute=10, second=0, microsecond=0) + HOUR)
            seen.append(path.read_text())
            sim.advance(minutes=20)
            assert path.read_text() == "0123456789"
        struck = [note for note in sim.history().notes if note.kind == "fault"]
    assert set(seen) == {"01234", "0123456789"}
    assert len(struck) == seen.count("01234")
    assert all(0 <= note.details["draw"] < 0.5 for note in struck)


def away(seed: int, *others) -> list[tuple[datetime, datetime]]:
    """When the worker is away in a month, about twice a day."""
    with Simulation(start=T0, seed=seed) as sim:
        sim.deploy(load, name="dev")
        sim.inject([*others, WorkerAway(per_day=2, lasts=2 * HOUR)])
        sim.advance(days=30)
        notes = [note for note in sim.history().notes if note.kind == "fault"]
        return [(note.at, note.until) for note in notes if "worker" in note.text]


@pytest.mark.filterwarnings("ignore::simulator.errors.SilentFault")
def test_a_rate_draws_instants_that_nothing_else_moves():
    first = away(0)
    assert (
        away(
            0,
            ProcessKilled(flow="load", per_day=3),
            DeploymentPaused(deployment="load/dev", per_day=1),
        )
        == first
    )
    assert away(1) != first
    # 30 days of 24 hours, each time 12 hours of waiting and 2 of absence: 51 on average, sigma some 6.
    assert 33 < len(first) < 69
    # Instants in the history are rounded to milliseconds.
    assert {round((until - at).total_seconds(), 2) for at, until in first} == {7200}
    assert all(before[1] < after[0] for before, after in pairwise(first))


def test_a_rate_keeps_to_its_window():
    between = (T0 + 2 * HOUR, T0 + 12 * HOUR)
    with Simulation(start=T0) as sim:
        sim.deploy(load, name="dev", cron="*/20 * * * *")
        sim.inject(ProcessKilled(flow="load", per_day=24 * 6, between=between))
        sim.advance(days=1)
        struck = [note.at for note in sim.history().notes if note.kind == "fault"]
        crashed = [run.end for run in sim.runs("load") if run.state == "Crashed"]
    assert len(struck) > 10  # of the thirty runs of these hours
    assert all(between[0] <= at < between[1] for at in struck)
    assert len(crashed) == len(struck)  # it lives for ten minutes of twenty, and dies once


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (
            WorkerAway,
            {},
            'needs one of at=instant, between=(from, until), reached=("flow", "State")',
        ),
        (WorkerAway, {"at": T0, "reached": ("load", "Running")}, "needs one of at="),
        (WorkerAway, {"at": T0, "on": [0]}, 'on={0} needs reached=("flow", "State")'),
        (WorkerAway, {"at": T0, "lasts": HOUR}, "needs reached="),
        (WorkerAway, {"reached": "load"}, 'such as ("load", "Running")'),
        (ProcessKilled, {"flow": "load", "between": (T0, T0 + HOUR)}, "it is never over"),
        (ProcessKilled, {"flow": "load", "per_day": 1, "lasts": HOUR}, "it is never over"),
        (WorkerAway, {"per_day": 0}, "per_day=0"),
        (WorkerAway, {"per_day": 1, "reached": ("load", "Running")}, "needs one of at=instant"),
        (
            TableAltered,
            {"table": "t", "change": "drop column a", "between": (T0, T0 + HOUR)},
            "it is never over",
        ),
    ],
)
def test_what_cannot_be_is_refused(kind, given, said):
    with pytest.raises(SimulationError) as refused:
        kind(**given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_flows_and_states_that_are_not_there_are_refused_before_anything_runs():
    with Simulation(start=T0) as sim:
        sim.deploy(load, name="dev")
        with pytest.raises(SimulationError, match=r"no flow or task named 'lod'.* 'load'"):
            sim.inject(WorkerAway(reached=("lod", "Running")))
        with pytest.raises(SimulationError, match=r"no state 'Runing'.* 'Running'"):
            sim.inject(WorkerAway(reached=("load", "Runing")))
