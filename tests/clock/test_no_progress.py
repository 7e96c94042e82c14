"""Flows that are busy for ever and get nowhere."""

from __future__ import annotations

import pytest
from prefect import flow, get_client
from prefect.deployments import run_deployment

from simulator import ClockStalled, Simulation


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
