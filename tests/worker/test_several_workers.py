"""Several workers in one work pool: who takes what, and what becomes of it when one is away or gone."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from simulator import Simulation, SimulationError
from simulator.faults import ExitLate, SlowStart, WorkerAway, WorkerKilled, WorkerLost

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@flow
def job(number: int):
    time.sleep(600)


@flow
def names(pool: str) -> list[str]:
    with get_client(sync_client=True) as client:
        response = client._client.post(f"/work_pools/{pool}/workers/filter", json={})
    return sorted(worker["name"] for worker in response.json())


@pytest.fixture
def sim():
    """A pool with two workers that run one run at a time each, and are asked every hour for two."""
    with Simulation(start=T0) as opened:
        opened.work_pool("etl")
        opened.stop_worker("etl")
        opened.start_worker("etl", "first", limit=1)
        opened.start_worker("etl", "second", limit=1)
        for number in (1, 2):
            which = {"parameters": {"number": number}, "cron": "0 * * * *"}
            opened.deploy(job, name=f"dev-{number}", work_pool="etl", **which)
        yield opened


def started(sim: Simulation, hour: int) -> list[timedelta | None]:
    """How much later than due the two runs of an hour began."""
    due = T0 + hour * HOUR
    runs = [run for run in sim.runs("job") if run.scheduled == due]
    return sorted(run.start - due for run in runs if run.start is not None)


def test_each_takes_as_many_as_its_limit_lets_it(sim):
    sim.trigger("job/dev-1", {"number": 3}, at=T0 + HOUR)
    sim.advance(hours=1.5)
    assert started(sim, 1) == [0 * SECOND, 0 * SECOND, 600 * SECOND]
    third = max(sim.runs("job"), key=lambda run: run.start)
    assert all(one._polls.fired <= 6 for one in sim._world.pools["etl"])  # none while it is full
    assert "held one of the 2 slots of the workers of work pool etl" in str(sim.explain(third))


def test_one_that_is_away_leaves_its_share_to_the_other(sim):
    sim.inject(
        WorkerAway(work_pool="etl", worker="second", between=(T0 + 1.5 * HOUR, T0 + 2.5 * HOUR))
    )
    sim.advance(hours=3.5)
    assert [started(sim, hour)[1] for hour in (1, 2, 3)] == [0 * SECOND, 600 * SECOND, 0 * SECOND]
    late = max(sim.runs("job"), key=lambda run: run.start - run.scheduled)
    assert sim.explain(late).fault == 0
    assert "the worker second of work pool etl was away" in str(sim.explain(late))


def test_those_that_were_away_before_are_so_when_the_others_are_back(sim):
    sim.inject(WorkerAway(work_pool="etl", between=(T0 + MINUTE, T0 + 2 * MINUTE)))
    sim.trigger("job/dev-1", {"number": 3}, at=T0 + HOUR)
    sim.advance(hours=1.5)
    assert started(sim, 1) == [0 * SECOND, 0 * SECOND, 600 * SECOND]  # not by "worker-etl"


def test_one_without_a_limit_takes_all_while_the_other_is_away(sim):
    sim.start_worker("etl", "third")
    sim.inject(WorkerAway(work_pool="etl", worker="second", at=T0))
    sim.stop_worker("etl", "first")
    sim.advance(hours=1.5)
    assert started(sim, 1) == [0 * SECOND, 0 * SECOND]
    assert [sim.explain(run).fault for run in sim.runs("job")] == [None, None]


def test_one_that_is_killed_takes_only_its_own_runs_along(sim):
    when = (T0 + HOUR + 5 * MINUTE, T0 + HOUR + 20 * MINUTE)
    sim.inject(WorkerKilled(work_pool="etl", worker="second", between=when))
    sim.advance(hours=2.5)
    states = [(run.scheduled - T0) // HOUR for run in sim.runs("job", state="Completed")]
    (killed,) = sim.runs("job", state="Running")
    assert (states, (killed.scheduled - T0) // HOUR) == ([1, 2, 2], 1)
    assert sim.explain(killed).fault == 0


def test_one_dies_of_what_it_has_taken_itself(sim):
    sim.inject(WorkerLost(work_pool="etl", worker="second", between=(T0, T0 + 1.5 * HOUR)))
    sim.advance(hours=2.5)
    lost = [run for run in sim.runs("job") if run.state_type == "PENDING"]
    assert [(run.scheduled, sim.explain(run).fault) for run in lost] == [(T0 + HOUR, 0)]
    assert started(sim, 2) == [0 * SECOND, 600 * SECOND]  # the other one works on, alone


def test_one_is_slow_to_start_its_processes(sim):
    sim.inject(SlowStart(work_pool="etl", worker="second", by=2 * MINUTE))
    sim.advance(hours=1.5)
    assert started(sim, 1) == [0 * SECOND, 110 * SECOND]  # it was taken ten seconds before


@flow
def quick(fails: bool):
    time.sleep(60)
    if fails:
        raise ValueError("at once")


@pytest.mark.parametrize("fails", [True, False])
def test_a_process_that_exits_late_counts_for_its_workers_limit(fails):
    with Simulation(start=T0) as sim:
        sim.work_pool("etl")
        sim.stop_worker("etl")
        sim.start_worker("etl", "single", limit=1)
        sim.deploy(quick, name="dev", work_pool="etl")
        sim.inject(ExitLate(work_pool="etl", by=5 * MINUTE, between=(T0, T0 + 2 * MINUTE)))
        for first in (True, False):
            sim.trigger("quick/dev", {"fails": fails and first})
        sim.advance(minutes=15)
        first, second = sim.runs("quick")
        assert (first.state, second.state) == ("Failed" if fails else "Completed", "Completed")
        assert (first.end - T0, second.start - T0) == (MINUTE, 6 * MINUTE)
        assert sim.explain(second).fault == 0
        assert "held the only slot of the workers of work pool etl" in str(sim.explain(second))


def test_each_polls_every_ten_seconds_from_when_it_was_started():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", parameters={"number": 1})
        sim.advance(seconds=4)
        sim.start_worker(name="second")
        for seconds in (11, 17):
            sim.advance_to(T0 + seconds * SECOND)
            sim.trigger("job/dev")
        sim.advance(minutes=1)
        assert [run.start - T0 for run in sim.runs("job")] == [14 * SECOND, 20 * SECOND]


def test_the_server_knows_each_by_its_name(sim):
    assert sim.run(names, pool="etl").result == ["first", "second", "worker-etl"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda sim: sim.stop_worker("etl", "secnod"),
            "no worker of work pool 'etl' 'secnod': did",
        ),
        (
            lambda sim: sim.start_worker("etl", "second", limit=2),
            "limit=2 is for a new worker, by a name of its own: worker 'second' of work pool 'etl'",
        ),
        (lambda sim: sim.start_worker("etl", limit=2), "limit=2 is for a new worker"),
        (lambda sim: sim.start_worker("etl", "a/b"), "name='a/b' must be a name without any of"),
        (
            lambda sim: sim.inject(WorkerAway(work_pool="etl", worker="tihrd", at=T0)),
            "no worker of work pool 'etl' 'tihrd'",
        ),
        (
            lambda sim: sim.inject({"kind": "slow start", "work_pool": "etl", "worker": "frist"}),
            "no worker of work pool 'etl' 'frist': did you mean 'first'",
        ),
    ],
)
def test_what_cannot_be_is_one_line(sim, wrong, said):
    with pytest.raises(SimulationError, match=said):
        wrong(sim)
