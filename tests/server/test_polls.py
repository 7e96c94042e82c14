"""Waiting for a deployment's run: the polls of `run_deployment`, of which most are left out."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import anyio
import pytest
from prefect import flow, task
from prefect.deployments import arun_deployment, run_deployment

from simulator import Simulation

START = "2026-01-05T00:00:00Z"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@flow
def sleeps(seconds: float = 600):
    time.sleep(seconds)


@flow
def fails():
    time.sleep(7)
    raise ValueError("boom")


@pytest.fixture
def sim():
    with Simulation(start=START) as simulation:
        simulation.deploy(sleeps, name="dev")
        simulation.deploy(fails, name="dev")
        yield simulation


seen: list = []


@flow
def parent(options: dict):
    """Waits for a child, and keeps what it is told of it and how long that took."""
    began = time.monotonic()
    state = run_deployment("sleeps/dev", **options).state
    seen.append((state.name, time.monotonic() - began))


@pytest.fixture(autouse=True)
def nothing_seen():
    seen.clear()


@pytest.mark.parametrize("interval", [5, 1, 30, 0.5])
def test_the_end_is_seen_at_the_next_poll(sim, interval):
    run = sim.run(parent, options={"poll_interval": interval, "parameters": {"seconds": 601.3}})
    (child,) = run.children
    ((state, waited),) = seen
    assert state == "Completed"
    assert timedelta(0) <= run.end - child.end <= timedelta(seconds=interval) + SECOND / 10
    # The polls lie on a grid that begins with the call.
    assert abs(waited / interval - round(waited / interval)) * interval < 0.1


def test_a_run_that_ends_within_the_first_interval_is_seen_at_its_end(sim):
    sim.run(parent, options={"poll_interval": 60, "parameters": {"seconds": 1}})
    ((state, waited),) = seen
    assert state == "Completed"
    assert 60 <= waited < 61


def test_a_failure_is_seen_like_a_success(sim):
    @flow(name="watches")
    def watches():
        seen.append(run_deployment("fails/dev").state.name)

    sim.run(watches)
    assert seen == ["Failed"]


@pytest.mark.parametrize("timeout", [60, 62, 5, 0.1])
def test_a_time_out_is_seen_at_the_next_poll(sim, timeout):
    run = sim.run(parent, options={"timeout": timeout})
    ((state, waited),) = seen
    assert state != "Completed"
    assert timeout <= waited + 0.01
    assert waited <= timeout + 5.1
    assert run.state == "Completed"


def test_a_time_out_that_is_longer_than_the_run(sim):
    sim.run(parent, options={"timeout": 3600, "parameters": {"seconds": 600}})
    ((state, waited),) = seen
    assert state == "Completed"
    assert 600 <= waited <= 620


def test_no_time_out_at_all_waits_for_days():
    """Without heartbeats, which alone would be five thousand."""
    with Simulation(start=START, settings={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": None}) as sim:
        sim.deploy(sleeps, name="dev")
        sim.run(parent, options={"parameters": {"seconds": 5 * 86400}})
    ((state, waited),) = seen
    assert state == "Completed"
    assert 5 * 86400 <= waited <= 5 * 86400 + 20


def test_nothing_is_waited_for_with_a_time_out_of_zero(sim):
    sim.run(parent, options={"timeout": 0})
    ((state, waited),) = seen
    assert state == "Scheduled"
    assert waited < 1


def test_waiting_takes_no_turn_of_the_clock_for_each_poll():
    """17,280 polls in reality. Heartbeats take turns of their own."""
    with Simulation(start=START, settings={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": None}) as sim:
        sim.deploy(sleeps, name="dev")
        before = sim._world.clock.jumps
        sim.run(parent, options={"parameters": {"seconds": 86400}})
        assert sim._world.clock.jumps - before < 100


def test_async_waits_side_by_side(sim):
    @flow(name="gathers")
    async def gathers():
        runs = await asyncio.gather(
            *(
                run_deployment("sleeps/dev", parameters={"seconds": 60 * index})
                for index in range(1, 5)
            )
        )
        seen.extend(run.state.name for run in runs)

    run = sim.run(gathers)
    assert seen == ["Completed"] * 4
    assert 4 * MINUTE <= run.end - run.start <= 4 * MINUTE + 20 * SECOND


def test_an_async_wait_gives_up_at_its_time_out(sim):
    @flow(name="impatient")
    async def impatient():
        run = await arun_deployment("sleeps/dev", timeout=60)
        seen.append(run.state.name)

    run = sim.run(impatient)
    assert seen == ["Running"]
    assert MINUTE <= run.end - run.start <= MINUTE + 6 * SECOND


def test_an_async_wait_is_cancelled_like_any_other(sim):
    @flow(name="cancels")
    async def cancels():
        with anyio.move_on_after(90) as scope:
            await arun_deployment("sleeps/dev")
        seen.append(scope.cancelled_caught)

    run = sim.run(cancels)
    assert seen == [True]
    assert 90 * SECOND <= run.end - run.start <= 91 * SECOND
    assert not sim._world.polls._sleepers


def test_a_flow_that_times_out_while_it_waits(sim):
    @flow(name="hurries", timeout_seconds=120)
    def hurries():
        run_deployment("sleeps/dev")

    run = sim.run(hurries)
    assert run.state == "TimedOut"
    assert 2 * MINUTE <= run.end - run.start <= 2 * MINUTE + SECOND
    (child,) = run.children
    assert child.state == "Running"
    assert not sim._world.polls._sleepers
    sim.advance(minutes=15)
    assert sim.history().run(child.id).state == "Completed"


def test_waiting_in_tasks_and_in_threads(sim):
    @task
    def waits(seconds: float):
        return run_deployment("sleeps/dev", parameters={"seconds": seconds}).state.name

    @flow(name="fans-out")
    def fans_out():
        futures = [waits.submit(60.0 * index) for index in range(1, 4)]
        seen.extend(future.result() for future in futures)
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda _: run_deployment("sleeps/dev"), range(2)))
        seen.extend(run.state.name for run in runs)

    run = sim.run(fans_out)
    assert run.state == "Completed", run.message
    assert seen == ["Completed"] * 5


def test_parents_of_parents(sim):
    @flow(name="middle")
    def middle():
        run_deployment("sleeps/dev")

    @flow(name="top")
    def top():
        run_deployment("middle/dev")

    sim.deploy(middle, name="dev")
    run = sim.run(top)
    (below,) = run.children
    (leaf,) = below.children
    assert [one.state for one in (run, below, leaf)] == ["Completed"] * 3
    assert leaf.end <= below.end <= run.end
    assert run.end - run.start <= 10 * MINUTE + 40 * SECOND


def test_a_sleep_of_ones_own_beside_a_wait(sim):
    @flow(name="both")
    def both():
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(run_deployment, "sleeps/dev")
            time.sleep(1200)
            seen.append(waiting.done())

    run = sim.run(both)
    assert seen == [True]
    assert 20 * MINUTE <= run.end - run.start <= 20 * MINUTE + SECOND


def test_a_child_that_is_killed_is_seen(sim):
    sim.deploy(parent, name="dev")
    run = sim.trigger("parent/dev", parameters={"options": {}})
    sim.advance(minutes=2)
    (child,) = sim.history().run(run).children
    sim.kill(child)
    sim.advance(seconds=10)
    assert [state for state, _ in seen] == ["Crashed"]
