"""What `Simulation.run` gives back, and what schedules have made for later."""

from __future__ import annotations

import asyncio
import time
from datetime import date, timedelta

import pytest
from prefect import flow
from prefect.states import Completed

from simulator import Simulation, SimulationError


@pytest.fixture
def sim():
    with Simulation(start="2026-01-05T00:00:00Z") as opened:
        yield opened


@flow
def yields_two():
    yield 1
    time.sleep(60)
    yield 2


@flow
async def yields_two_async():
    yield 1
    await asyncio.sleep(60)
    yield 2


@flow
def yields_and_fails():
    yield 1
    raise ValueError("after one")


@flow
def returns(value):
    return value


@flow
async def returns_async(value):
    return value


@flow
def returns_a_state():
    return Completed(message="fine")


def test_run_gives_the_result_of_the_flow(sim):
    assert sim.run(returns, value={"a": [1]}).result == {"a": [1]}
    assert sim.run(returns_async, value=None).result is None
    assert sim.run(returns_a_state).result is None


@pytest.mark.parametrize("yields", [yields_two, yields_two_async])
def test_run_runs_a_flow_that_yields_to_its_end(sim, yields):
    run = sim.run(yields)
    assert (run.state, run.result) == ("Completed", [1, 2])
    assert run.end - run.start == timedelta(minutes=1)


def test_a_flow_that_yields_may_fail(sim):
    run = sim.run(yields_and_fails)
    assert run.state == "Failed"
    assert "after one" in run.message
    with pytest.raises(SimulationError, match=r"it is Failed.*after one"):
        _ = run.result


def test_a_result_that_is_not_kept_says_so(sim):
    sim.deploy(returns, "dev", parameters={"value": 1})
    sim.trigger("returns/dev")
    sim.advance(minutes=1)
    (run,) = sim.runs("returns")
    with pytest.raises(SimulationError, match=r"kept by Simulation\.run alone"):
        _ = run.result


def test_upcoming_shows_what_schedules_have_made(sim):
    sim.deploy(returns, "dev", cron="0 * * * *", parameters={"value": 1})
    assert sim.upcoming() == []
    sim.advance(minutes=30)
    coming = sim.upcoming("returns")
    assert [run.scheduled - sim.start for run in coming[:2]] == [
        timedelta(hours=1),
        timedelta(hours=2),
    ]
    assert {run.state for run in coming} == {"Scheduled"}
    assert all(run.auto_scheduled for run in coming)
    with pytest.raises(SimulationError, match="no flow"):
        sim.upcoming("retruns")


class Odd:
    """Something that does not say what it is."""

    @property
    def shape(self):
        raise RuntimeError("ask me not")


class Table:
    shape = (100, 3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"rows": [1, 2]}, "{'rows': [1, 2]}"),
        (date(2026, 1, 5), "datetime.date(2026, 1, 5)"),
        (Table(), "<Table of shape (100, 3)>"),
        ([Odd()], "<list>"),
        (Odd(), "<Odd>"),
        (0, "0"),
        (None, None),
    ],
    ids=["dict", "date", "table", "list", "odd", "zero", "nothing"],
)
def test_what_a_run_returned_is_noted_and_no_reason_for_it_to_fail(value, said):
    @flow
    def gives():
        return value

    @flow
    async def gives_later():
        return value

    with Simulation() as sim:
        for one in (gives, gives_later):
            run = sim.run(one)
            assert run.completed, run.message
            noted = [
                note.text
                for note in sim.history().notes
                if note.kind == "result" and note.run_id == run.id
            ]
            assert noted == ([] if said is None else [said])
