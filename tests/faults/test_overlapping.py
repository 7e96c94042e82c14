"""Faults that overlap: what several do to one thing is over when the last of them is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from prefect import flow

from simulator import Simulation
from simulator.faults import (
    DeploymentPaused,
    DiskFull,
    FileDamaged,
    Redeployed,
    WarehouseLocked,
    WorkerAway,
    WorkerKilled,
    WorkerLost,
)
from simulator.faults.layers import Layers

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def window(since: float, until: float) -> tuple[datetime, datetime]:
    return T0 + since * HOUR, T0 + until * HOUR


@flow
def job(x: int = 1) -> int:
    return x


def hours(sim: Simulation) -> list[float]:
    """When the runs have begun that have, in hours."""
    return [(run.start - T0) / HOUR for run in sim.runs("job") if run.start is not None]


@pytest.mark.parametrize("kinds", [(WorkerAway, WorkerAway), (WorkerKilled, WorkerAway)])
@pytest.mark.parametrize("second", [(1.5, 4.5), (0.7, 1.2)])
def test_a_worker_is_away_until_the_last_fault_that_keeps_it_away_is_over(kinds, second):
    first_kind, second_kind = kinds
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject([first_kind(between=window(0.5, 2.5)), second_kind(between=window(*second))])
        sim.advance(hours=5.5)
        back = max(2.5, second[1])
        assert all(start == max(n, back) for n, start in enumerate(hours(sim), 1))
        assert sim.explain("job", 0).fault == (1 if back > 2.5 else 0)


def test_a_worker_that_somebody_stops_stays_so_when_a_fault_is_over_and_starts_when_somebody_says_so():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject([WorkerAway(between=window(0.5, 1.5)), WorkerAway(between=window(2.5, 9))])
        sim.advance(hours=1.2)
        sim.stop_worker()
        sim.advance(hours=1)
        assert hours(sim) == []
        sim.start_worker()
        sim.advance(hours=1)
        assert hours(sim) == [2.2, 2.2]
        sim.start_worker()  # outranks the fault
        sim.advance(hours=2)
        assert hours(sim)[2:] == [3.2, 4, 5]


def test_a_worker_that_is_lost_while_another_fault_keeps_it_away_is_not_back_before_that_is_over():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        lost = WorkerLost(back=0.5 * HOUR, between=window(0.5, 1.2))
        sim.inject([lost, WorkerAway(between=window(1.3, 3.5))])
        sim.advance(hours=4.5)
        assert hours(sim) == [3.5, 3.5, 4]


@pytest.mark.parametrize(("paused", "expected"), [(False, [5.0]), (True, [])])
def test_a_deployment_is_paused_until_the_last_fault_is_over_and_then_as_it_was(paused, expected):
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *", paused=paused)
        for since, until in ((0.5, 2.5), (1.5, 4.5), (1.7, 2.2)):
            sim.inject(DeploymentPaused(deployment="job/dev", between=window(since, until)))
        sim.advance(hours=5.5)
        assert hours(sim) == expected


def test_a_deployment_is_as_it_was_when_all_that_have_changed_it_are_over():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        new = {"deployment": "job/dev"}
        sim.inject(
            [
                Redeployed(**new, parameters={"x": 2}, cron="20 * * * *", between=window(0.5, 2.5)),
                Redeployed(**new, parameters={"x": 3}, cron="40 * * * *", between=window(1.5, 4.5)),
            ]
        )
        sim.advance(hours=6.5)
        said = [
            (f"{run.start:%H:%M}", run.parameters.get("x", 1))
            for run in sim.runs("job")
            if run.start
        ]
        assert said == [
            *(("01:20", 2), ("01:40", 3), ("02:40", 3), ("03:40", 3)),
            *(("05:00", 1), ("06:00", 1)),
        ]


def test_a_file_is_damaged_until_the_last_fault_is_over_and_then_as_it_was(tmp_path):
    path = tmp_path / "feed.csv"
    path.write_text("abcd")
    with Simulation(start=T0) as sim:
        sim.inject(
            [
                FileDamaged(path=str(path), how="partial", between=window(1, 3)),
                FileDamaged(path=str(path), how="doubled", between=window(2, 4)),
            ]
        )
        seen = []
        for _ in range(4):
            sim.advance(hours=1.1)
            seen.append(path.read_text())
    assert seen == ["ab", "abab", "abcdabcd", "abcd"]


def test_a_disk_is_full_and_the_warehouse_locked_until_the_last_fault_is_over():
    @flow
    def write() -> None:
        with duckdb.connect(str(sim.warehouse.path)) as connection:
            connection.execute("create or replace table t (n int)")

    with Simulation(start=T0) as sim:
        sim.deploy(write, name="dev", cron="0 * * * *")
        for kind in (DiskFull, WarehouseLocked):
            begin = 0.5 if kind is DiskFull else 5.5
            sim.inject(kind(between=window(begin, begin + 2)))
            sim.inject(kind(between=window(begin + 1, begin + 4)))
        sim.advance(hours=10.5)
        states = [run.state for run in sim.runs("write") if run.start]
        assert states == [*["Failed"] * 4, "Completed", *["Failed"] * 4, "Completed"]


def test_what_somebody_else_has_made_of_a_thing_meanwhile_stays():
    layers = Layers()
    lower = layers.lay("x", str.upper, "a")
    upper = layers.lay("x", lambda s: s + "!", "theirs")
    assert layers.lift(lower, "theirs!") == "theirs!"
    assert layers.lift(upper, "mine") == "mine"
