"""Workers that are killed, or die between two calls, and what becomes of what they had taken."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.deployments import run_deployment

from simulator import Simulation, SimulationError
from simulator.faults import SlowStart, WorkerAway, WorkerKilled, WorkerLost

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

TOLD: list[str] = []


@flow
def job():
    time.sleep(600)
    TOLD.append("job")


@flow
def elsewhere():
    time.sleep(600)


@flow
def parent():
    try:
        run_deployment("elsewhere/dev")
    finally:
        TOLD.append("parent")


def test_what_a_killed_worker_runs_stays_running_and_a_new_one_takes_the_next():
    TOLD.clear()
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(WorkerKilled(between=(T0 + HOUR + 5 * MINUTE, T0 + 2.5 * HOUR)))
        sim.advance(hours=4)
        first, second, third = sim.runs("job")
        assert first.state == "Running"  # of 01:00, for ever: nobody reports what became of it
        assert second.start == T0 + 2.5 * HOUR  # by the new worker
        assert (second.state, third.state) == ("Completed", "Completed")
        assert TOLD == ["job", "job"]
        assert [sim.explain(run).fault for run in (first, second)] == [0, 0]
        assert "nobody reports what became of it" in str(sim.explain(first))


def test_a_killed_worker_takes_parents_along_but_no_runs_of_other_workers():
    TOLD.clear()
    with Simulation(start=T0) as sim:
        sim.deploy(elsewhere, name="dev", work_pool="other")
        sim.deploy(parent, name="dev")
        sim.inject(WorkerKilled(at=T0 + 5 * MINUTE))
        sim.trigger("parent/dev")
        sim.advance(hours=1)
        assert [run.state for run in sim.runs("parent")] == ["Running"]
        assert [run.state for run in sim.runs("elsewhere")] == ["Completed"]
        assert TOLD == []  # not even its `finally`


def test_a_run_whose_process_is_not_there_yet_stays_pending():
    with Simulation(start=T0) as sim:
        sim.work_pool("default", concurrency_limit=1)
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(SlowStart(by=20 * MINUTE))
        sim.inject(WorkerKilled(between=(T0 + HOUR + 5 * MINUTE, T0 + HOUR + 10 * MINUTE)))
        sim.advance(hours=3)
        first, second = sim.runs("job")
        assert (first.state_type, first.start) == ("PENDING", None)
        assert second.state == "Late"
        assert [sim.explain(run).fault for run in (first, second)] == [1, 1]


def test_a_run_that_was_killed_with_its_worker_is_cancelled_by_no_worker():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev")
        sim.inject(WorkerKilled(between=(T0 + MINUTE, T0 + 2 * MINUTE)))
        run = sim.trigger("job/dev")
        sim.advance(minutes=5)
        sim.run(cancel, run_id=str(run))
        sim.advance(minutes=4)  # a stock server gives up after five, and says Cancelled itself
        assert sim.runs("job")[0].state == "Cancelling"


@flow
def cancel(run_id: str):
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Cancelling(), force=True)


def test_a_worker_dies_between_taking_a_run_and_starting_it():
    with Simulation(start=T0) as sim:
        sim.work_pool("default", concurrency_limit=1)
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(WorkerLost(between=(T0, T0 + 1.5 * HOUR), back=10 * MINUTE))
        sim.advance(hours=2.5)
        lost, waiting = sim.runs("job")
        assert (lost.state_type, lost.start) == ("PENDING", None)
        assert waiting.state == "Late"  # the only slot is held for ever
        assert [sim.explain(run).fault for run in (lost, waiting)] == [0, 0]
        away = [note for note in sim.history().notes if note.kind == "away"]
        assert [note.until - note.at for note in away] == [10 * MINUTE]


def test_a_worker_that_is_not_back_takes_nothing():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(WorkerLost())
        sim.advance(hours=2.5)
        assert [run.state_type for run in sim.runs("job")] == ["PENDING", "SCHEDULED"]
        assert [sim.explain(run).fault for run in sim.runs("job")] == [0, 0]


def test_a_worker_may_be_away_for_ever():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(WorkerAway(at=T0 + 1.5 * HOUR))
        sim.advance(hours=2.5)
        assert [run.state for run in sim.runs("job")] == ["Completed", "Late"]
        assert sim.explain("job").fault == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "worker killed of 'default' needs one of at=instant, between="),
        ({"at": T0 - HOUR}, "at: 2025-12-31T23:00:00Z has passed"),
        ({"at": T0, "work_pool": "defualt"}, "no work pool 'defualt': did you mean 'default'"),
    ],
)
def test_what_cannot_be_is_refused(given, said):
    with Simulation(start=T0) as sim:
        sim.work_pool("default")
        with pytest.raises(SimulationError, match=said):
            sim.inject(WorkerKilled(**given))
