"""Between a worker's taking a run and its first line: slow starts, and those that never come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow

from simulator import Simulation, SimulationError, lognormal
from simulator.faults import NeverStarts, SlowStart
from simulator.promises import never_pending

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@flow
def job(): ...


def test_a_process_starts_later_and_the_run_is_pending_meanwhile():
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(SlowStart(by=7 * MINUTE, between=(T0, T0 + 1.5 * HOUR)))
        sim.advance(hours=2.5)
        late, on_time = sim.runs("job")
        assert late.start - late.scheduled == pytest.approx(
            7 * MINUTE, abs=10 * timedelta(seconds=1)
        )
        assert on_time.start == on_time.scheduled
        assert late.state == "Completed"
        assert sim.explain(late).fault == 0


def test_starts_differ_by_run_and_are_those_of_the_seed():
    def starts(seed: int) -> list[datetime]:
        with Simulation(start=T0, seed=seed) as sim:
            sim.deploy(job, name="dev", cron="0 * * * *")
            sim.inject(SlowStart(by=lognormal(5 * MINUTE, 0.5)))
            sim.advance(hours=3.9)
            return [run.start for run in sim.runs("job")]

    assert len({start.minute * 60 + start.second for start in starts(1)}) == 3
    assert starts(1) == starts(1) != starts(2)


def test_a_run_whose_process_never_starts_holds_the_only_slot():
    with Simulation(start=T0) as sim:
        sim.work_pool("default", concurrency_limit=1)
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject(NeverStarts(between=(T0, T0 + 1.5 * HOUR)))
        sim.promise(never_pending(within=10 * MINUTE))
        sim.advance(hours=3.5)
        lost, *others = sim.runs("job")
        assert (lost.state_type, lost.start) == ("PENDING", None)
        assert [run.state for run in others] == ["Late", "Late"]
        assert [sim.explain(run).fault for run in (lost, *others)] == [0, 0, 0]
        (outcome,) = sim.promises()
        assert [run.id for run in outcome.runs] == [lost.id]


def test_a_pool_that_is_not_there_is_refused():
    with Simulation() as sim:
        sim.work_pool("default")
        with pytest.raises(SimulationError, match="no work pool 'etl'"):
            sim.inject(SlowStart(work_pool="etl"))
