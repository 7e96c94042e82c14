"""A flow or a task that a test calls, with no `sim.run` around it."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from prefect import flow, tags, task
from prefect.context import FlowRunContext

from simulator import NothingToRun, Simulation

START = "2026-01-05T00:00:00Z"


@task
def step(seconds: float = 5) -> int:
    time.sleep(seconds)
    return 1


@flow
def two_steps() -> int:
    step()
    return step.submit().result()


@flow
async def asleeps(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@pytest.fixture(scope="module")
def sim():
    with Simulation(start=START) as simulation:
        yield simulation


def took(sim, call):
    before = sim.now
    result = call()
    return result, (sim.now - before).total_seconds()


def test_a_flow_takes_what_it_takes_in_a_run(sim):
    run = sim.run(two_steps)
    assert (run.end - run.start).total_seconds() == 10
    for _ in range(3):
        assert took(sim, two_steps) == (1, 10)
    newest = sim.runs("two-steps")[-1]
    assert (newest.state, newest.end - newest.start) == ("Completed", timedelta(seconds=10))


def test_a_task_takes_its_time(sim):
    assert took(sim, lambda: step(7)) == (1, 7)


def test_a_flow_raises_what_it_raises(sim):
    @flow
    def fails():
        time.sleep(3)
        raise ValueError("boom")

    @flow
    def exits():
        raise SystemExit(3)

    with pytest.raises(ValueError, match="boom"):
        fails()
    assert fails(return_state=True).is_failed()
    with pytest.raises(SystemExit):
        exits()


def test_a_time_out_comes_at_its_instant(sim):
    @flow(timeout_seconds=90)
    def too_slow():
        time.sleep(600)

    state, seconds = took(sim, lambda: too_slow(return_state=True))
    assert (state.name, seconds) == ("TimedOut", 90)


def test_what_surrounds_the_call_reaches_the_flow(sim):
    @flow
    def tagged():
        return FlowRunContext.get().flow_run.tags

    with tags("surrounding"):
        assert tagged() == ["surrounding"]


def test_async_flows_run_side_by_side(sim):
    async def main():
        return await asyncio.gather(asleeps(60), asleeps(90), asleeps(60, return_state=True))

    (first, second, state), seconds = took(sim, lambda: asyncio.run(main()))
    assert (first, second, state.name, seconds) == (60, 90, "Completed", 90)


def test_a_flow_waits_for_the_world_around_it(sim):
    sim.deploy(two_steps, name="dev")
    due = sim.now + timedelta(minutes=1)
    sim.trigger("two-steps/dev", at=due)

    @flow
    def patient():
        time.sleep(300)

    assert took(sim, patient) == (None, 300)
    assert [run.scheduled for run in sim.runs("two-steps", deployment="two-steps/dev")] == [due]


def test_a_flow_that_waits_for_ever_is_told_of(sim):
    @flow
    def waits():
        threading.Event().wait()

    with pytest.raises(NothingToRun, match=r"threading.Event\(\).wait\(\)"):
        waits()


def test_a_thread_of_a_test_may_call_a_flow(sim):
    results = []
    thread = threading.Thread(target=lambda: results.append(took(sim, two_steps)))
    thread.start()
    thread.join()
    assert results == [(1, 10)]
