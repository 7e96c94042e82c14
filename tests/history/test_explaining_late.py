"""That a run started late is told beside what else went wrong in it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.deployments import run_deployment

from simulator import Simulation
from simulator.faults import ExitLate, Raise, WorkerAway
from simulator.history import Results, explain, kept_histories

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@flow(retries=1)
def healed():
    pass


@flow
def failing():
    pass


def test_a_late_run_that_was_struck_is_told_as_both() -> None:
    with Simulation(start=T0) as sim:
        for one in (healed, failing):
            sim.deploy(one, name="dev", cron="0 * * * *")
        sim.inject(
            [
                WorkerAway(between=(T0 + HOUR / 2, T0 + 2 * HOUR)),
                Raise(step="healed", attempts="1"),
                Raise(step="failing"),
            ]
        )
        sim.advance(hours=2.5)
        late, timely = sim.explain("healed/dev", 0), sim.explain("healed/dev", 1)
        told = str(late).splitlines()
        assert "Completed at attempt 2, after RuntimeError: healed failed" in told[0]
        assert told[0].endswith(
            "fault 1: raises RuntimeError('healed failed') in healed (2026-01-01T02:00:00Z)"
        )
        assert told[1].startswith(
            "  it started 1:00:00 late (2026-01-01T02:00:00Z); in the end: fault 0:"
        )
        assert "  because the worker of work pool default was away" in told[2]
        assert late.fault == 1
        assert timely.lateness == ()
        assert "started" not in str(timely)
        failed = str(sim.explain("failing/dev", 0))
        assert "it raised RuntimeError: failing failed" in failed
        assert "  it started 1:00:00 late" in failed


@flow
def job():
    time.sleep(600)


@flow(timeout_seconds=1200)
def hurried():
    run_deployment("job/dev")


def test_a_time_out_goes_back_to_a_child_that_began_late() -> None:
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", work_pool="other")
        sim.deploy(hurried, name="dev", cron="0 * * * *")
        sim.inject(WorkerAway(work_pool="other", between=(T0 + HOUR, T0 + 1.25 * HOUR)))
        sim.advance(hours=2)
        why = sim.explain("hurried/dev", 0)
        assert "because it waited for job" in str(why)
        assert "because job started 0:15:00 late" in str(why)
        assert why.fault == 0


@flow
def quick():
    time.sleep(60)


def test_a_process_that_exits_late_is_named_behind_a_run_that_came_after_its_flow_had_ended(
    tmp_path: Path,
) -> None:
    with Simulation(start=T0) as sim:
        sim.work_pool("etl")
        sim.stop_worker("etl")
        sim.start_worker("etl", "single", limit=1)
        sim.deploy(quick, name="dev", work_pool="etl")
        sim.inject(ExitLate(work_pool="etl", by=HOUR, between=(T0, T0 + HOUR)))
        sim.trigger("quick/dev")
        sim.advance(minutes=30)
        sim.trigger("quick/dev")
        sim.advance(hours=1)
        history = sim.history()
    file = tmp_path / "results.duckdb"
    Results.open(file).add("day", "default", 0, history)
    (kept,) = kept_histories(file).values()
    for one in (history, kept):
        why = explain(one, "quick/dev", 1)
        assert "started 0:31:00 late" in str(why)
        assert "held the only slot of the workers of work pool etl" in str(why)
        assert why.fault == 0


@pytest.mark.parametrize("what", ["work pool", "work queue"])
def test_a_pause_is_named_behind_a_run_that_started_when_it_was_over(
    tmp_path: Path, what: str
) -> None:
    def pause(paused: bool) -> None:
        with get_client(sync_client=True) as client:
            if what == "work pool":
                client.update_work_pool("default", WorkPoolUpdate(is_paused=paused))
            else:
                queue = client.read_work_queue_by_name("default", "default")
                client.update_work_queue(queue.id, is_paused=paused)

    with Simulation(start=T0) as sim:
        sim.deploy(quick, name="dev")
        pause(True)
        sim.advance(minutes=2)
        pause(False)
        sim.advance(minutes=2)
        pause(True)
        sim.trigger("quick/dev")
        sim.advance(minutes=10)
        pause(False)
        sim.advance(minutes=10)
        sim.trigger("quick/dev")
        sim.advance(minutes=10)
        history = sim.history()
    file = tmp_path / "results.duckdb"
    Results.open(file).add("day", "default", 0, history)
    (kept,) = kept_histories(file).values()
    name = "default" if what == "work pool" else "default/default"
    for one in (history, kept):
        late = str(explain(one, "quick/dev", 0))
        assert "started 0:10:00 late" in late
        assert f"because the {what} {name} was paused until 2026-01-01T00:14:00Z" in late
        assert "paused" not in str(explain(one, "quick/dev", 1))


def test_a_pause_that_was_over_long_before_the_run_started_is_not_what_it_waited_for() -> None:
    with Simulation(start=T0) as sim, get_client(sync_client=True) as client:
        sim.deploy(quick, name="dev")
        sim.inject(WorkerAway(between=(T0, T0 + HOUR)))
        client.update_work_pool("default", WorkPoolUpdate(is_paused=True))
        sim.trigger("quick/dev")
        sim.advance(minutes=10)
        client.update_work_pool("default", WorkPoolUpdate(is_paused=False))
        sim.advance(hours=1)
        why = sim.explain("quick/dev", 0)
        assert why.fault == 0
        assert "paused" not in str(why)
