"""Flows that are busy for ever and get nowhere."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prefect import flow, get_client, task
from prefect.deployments import run_deployment

from simulator import ClockStalled, NothingToRun, Simulation


@flow
def child():
    pass


@flow
def asks_in_a_sleep_that_does_not_sleep():
    sleep = lambda seconds: None  # noqa: E731  as a test puts in the place of `time.sleep`
    with get_client(sync_client=True) as client:
        while True:
            client.read_flows(limit=1)
            sleep(5)


@flow
async def asks_in_a_loop():
    async with get_client() as client:
        while True:
            await client.read_flows(limit=1)


@flow
def polls_without_a_sleep():
    ordered = run_deployment("child/dev", timeout=0)
    with get_client(sync_client=True) as client:
        while not client.read_flow_run(ordered.id).state.is_final():
            pass


BUSY = [asks_in_a_sleep_that_does_not_sleep, asks_in_a_loop, polls_without_a_sleep]


@pytest.mark.parametrize("busy", BUSY, ids=lambda busy: busy.name)
def test_who_is_busy_and_gets_nowhere_is_told_of(busy):
    with Simulation() as sim:
        sim.deploy(child, name="dev")
        sim.advance(minutes=1)
        sim._world.clock.stall_limit = 1  # three of them make three seconds
        with pytest.raises(ClockStalled, match=r"2026-01-01T00:01:00Z .*without progress"):
            sim.run(busy)


@flow
async def awaits_a_future():
    await asyncio.get_running_loop().create_future()


@task
async def waits_for_an_event():
    await asyncio.Event().wait()


@flow
async def awaits_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(waits_for_an_event())
        group.create_task(asyncio.sleep(5))


async def helper():
    return await asyncio.Queue().get()


@flow
def runs_a_loop():
    asyncio.run(helper())


@pytest.mark.parametrize(
    ("waiting", "place"),
    [
        (awaits_a_future, "in awaits_a_future: await asyncio.get_running_loop().create_future()"),
        (awaits_a_group, "in waits_for_an_event: await asyncio.Event().wait()"),
        (runs_a_loop, "in helper: return await asyncio.Queue().get()"),
    ],
)
def test_who_awaits_what_never_comes_is_named_by_that_line(waiting, place):
    with Simulation() as sim, pytest.raises(NothingToRun) as nothing:
        sim.run(waiting)
    first = str(nothing.value).splitlines()[0]
    assert "test_no_progress.py" in first
    assert first.endswith(place)


@task
def hangs_for_ever():
    threading.Event().wait()


@flow(timeout_seconds=30)
def leaves_a_thread_that_hangs():
    hangs_for_ever.submit().result()


def test_who_waits_in_a_library_is_named_by_its_line_there():
    """After its time-out the flow waits, as in life, for the thread of its task runner."""
    with Simulation() as sim, pytest.raises(NothingToRun) as nothing:
        sim.run(leaves_a_thread_that_hangs)
    told = str(nothing.value)
    assert "in hangs_for_ever: threading.Event().wait()" in told.splitlines()[0]
    assert "thread \"flow 'leaves-a-thread-that-hangs'\" at " in told
    assert "task_runners.py" in told
    assert "simulator/clock/" not in told
