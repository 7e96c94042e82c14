"""Runs that wait since others have what they wait for: limits that starve."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from prefect import flow
from prefect.deployments import run_deployment

from simulator import Simulation
from simulator.project.findings import observed

START = "2026-01-05T00:00:00Z"
HOUR = 3600.0


@flow
def export() -> None:
    time.sleep(3 * HOUR)


@flow
def load() -> None: ...


@flow
def parent() -> None:
    run_deployment("load/prod", timeout=2 * HOUR)


def both(sim: Simulation, queue: str | None = None) -> None:
    """A long export at one o'clock, and a load half an hour later."""
    more = {} if queue is None else {"work_queue_name": queue}
    for what, at in (export, "0 1 * * *"), (load, "30 1 * * *"):
        sim.deploy(what, name="prod", cron=at, timezone="UTC", work_pool="etl", **more)


def of_the_pool(sim: Simulation) -> str:
    sim.work_pool("etl", concurrency_limit=1)
    both(sim)
    return "work pool etl"


def of_a_queue(sim: Simulation) -> str:
    sim.work_pool("etl")
    sim.work_queue("daily", "etl", concurrency_limit=1)
    both(sim, "daily")
    return "work queue etl/daily"


def of_the_worker(sim: Simulation) -> str:
    sim.work_pool("etl")
    sim.start_worker("etl", "small", limit=1)
    sim.stop_worker("etl", "worker-etl")
    both(sim)
    return "the workers of work pool etl"


@pytest.mark.parametrize("limited", [of_the_pool, of_a_queue, of_the_worker])
def test_who_waits_for_runs_of_another_deployment_is_starved(
    limited: Callable[[Simulation], str],
) -> None:
    with Simulation(start=START) as sim:
        gate = limited(sim)
        sim.advance(hours=6)
        found = [one for one in observed(sim.history()) if one.kind in ("starved", "late")]
    [one] = found
    assert (one.kind, one.subject, one.times) == ("starved", "load/prod", 1)
    assert one.sentence == (
        "runs of load/prod begin up to 2h 30m after their time:"
        f" runs of export/prod hold what there is of {gate}"
    )
    assert "export/prod" in one.explanation


def test_who_waits_for_its_own_caller_is_starved_by_it() -> None:
    with Simulation(start=START) as sim:
        sim.work_pool("etl", concurrency_limit=1)
        sim.deploy(parent, name="prod", cron="0 1 * * *", timezone="UTC", work_pool="etl")
        sim.deploy(load, name="prod", work_pool="etl")
        sim.advance(hours=6)
        found = [one for one in observed(sim.history()) if one.kind == "starved"]
    [one] = found
    assert one.sentence.endswith(
        "runs of parent/prod hold what there is of work pool etl, and wait for them"
    )


def test_who_waits_for_an_earlier_run_of_its_own_is_only_late() -> None:
    with Simulation(start=START) as sim:
        sim.work_pool("etl", concurrency_limit=1)
        every = timedelta(hours=2)
        sim.deploy(export, name="prod", interval=every, work_pool="etl")
        sim.advance(hours=12)
        kinds = [one.kind for one in observed(sim.history())]
    assert "late" in kinds
    assert "starved" not in kinds


def test_who_waits_behind_runs_that_their_deployment_refuses_is_starved_too() -> None:
    """As in https://github.com/PrefectHQ/prefect/issues/19403: each poll gives what is free to the oldest
    that is due, a refused one as well.
    """
    with Simulation(start=START) as sim:
        sim.work_pool("etl", concurrency_limit=2)
        sim.deploy(export, name="prod", concurrency_limit=1, work_pool="etl")
        sim.deploy(load, name="prod", cron="1 0 * * *", timezone="UTC", work_pool="etl")
        for _ in range(80):
            sim.trigger("export/prod")
        sim.advance(minutes=15)
        found = [one for one in observed(sim.history()) if one.kind == "starved"]
    [one] = found
    assert one.subject == "load/prod"
    assert one.sentence.endswith("runs of export/prod hold what there is of work pool etl")
    assert "which its deployment's limit refused" in one.explanation
