"""Waiting for a run's end by its events, as `prefect.flow_runs.wait_for_flow_run` does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow, get_client
from prefect.deployments import arun_deployment
from prefect.events import emit_event, get_events_subscriber
from prefect.exceptions import FlowRunWaitTimeout
from prefect.flow_runs import wait_for_flow_run
from prefect.server.utilities.messaging.memory import Topic

from simulator import Simulation

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
seen: list[tuple[str, datetime]] = []


@flow
def child():
    pass


@flow
async def parent(children: int = 1, timeout: float | None = None):
    runs = [await arun_deployment("child/dev", timeout=0) for _ in range(children)]
    waiting = [wait_for_flow_run(run.id, timeout=timeout) for run in runs]
    ended = await asyncio.gather(*waiting)
    seen.extend((run.state.name, datetime.now(UTC).replace(microsecond=0)) for run in ended)


@flow
async def watcher():
    async with get_events_subscriber() as events:
        await arun_deployment("child/dev", timeout=0)
        async for event in events:
            seen.append((event.event, event.occurred.replace(microsecond=0)))
            if event.event == "prefect.flow-run.Completed":
                return


@pytest.fixture
def sim():
    seen.clear()
    with Simulation(start=MIDNIGHT) as simulation:
        simulation.deploy(child, name="dev")
        simulation.takes("child", timedelta(minutes=7))
        yield simulation


def test_a_run_is_waited_for_to_its_very_end(sim):
    assert sim.run(parent).state == "Completed"
    (ended,) = [run.end.replace(microsecond=0) for run in sim.runs("child")]
    assert seen == [("Completed", ended)]


def test_several_runs_are_waited_for_at_once(sim):
    sim.fail("child", on=[1], error=ValueError("boom"))
    assert sim.run(parent, children=3).state == "Completed"
    assert sorted(name for name, _ in seen) == ["Completed", "Completed", "Failed"]


def test_who_waits_too_long_is_told(sim):
    sim.takes("child", timedelta(hours=2))
    run = sim.run(parent, timeout=600)
    assert run.state == "Failed"
    assert FlowRunWaitTimeout.__name__ in run.message
    assert run.end - run.start == pytest.approx(timedelta(minutes=10), abs=timedelta(seconds=1))


def test_a_run_that_is_over_is_not_waited_for(sim):
    sim.trigger("child/dev")
    sim.advance(hours=1)
    (over,) = sim.runs("child")

    async def wait():
        async with get_client() as client:
            return await wait_for_flow_run(over.id, client=client)

    assert asyncio.run(wait()).state.is_completed()
    assert sim.now.replace(microsecond=0) == MIDNIGHT + timedelta(hours=1)


def test_events_come_in_order_and_at_their_instants(sim):
    assert sim.run(watcher).state == "Completed"
    (run,) = sim.runs("child")
    expected = [(state.name, state.timestamp.replace(microsecond=0)) for state in run.states]
    names = {f"prefect.flow-run.{name}" for name, _ in expected}
    told = [(name.removeprefix("prefect.flow-run."), when) for name, when in seen if name in names]
    assert told[-len(expected) :] == expected


def test_events_of_the_last_minute_are_told_as_well(sim):
    @flow
    def tell(name: str):
        emit_event(name, resource={"prefect.resource.id": "a.story"})

    @flow
    async def latecomer():
        async with get_events_subscriber() as events:
            async for event in events:
                seen.append((event.event, event.occurred))
                if event.event == "told.now":
                    return

    sim.run(tell, name="told.long.ago")
    sim.advance(minutes=2)
    sim.run(tell, name="told.just.now")
    sim.advance(seconds=30)
    sim.deploy(tell, "dev")
    sim.trigger("tell/dev", parameters={"name": "told.now"}, at=sim.now + timedelta(minutes=1))
    assert sim.run(latecomer).state == "Completed"
    told = [name for name, _ in seen if name.startswith("told.")]
    assert told == ["told.just.now", "told.now"]


def test_who_leaves_while_more_is_coming_holds_nothing(sim):
    @flow
    async def leaver():
        async with get_events_subscriber() as events:
            await arun_deployment("child/dev", timeout=0)
            async for _ in events:
                return

    for _ in range(3):
        assert sim.run(leaver).state == "Completed"
    sim.advance(hours=1)
    assert [run.state for run in sim.runs("child")] == ["Completed"] * 3


def test_nothing_is_left_of_a_subscription(sim):
    def subscriptions():
        return len(Topic.by_name("events")._subscriptions)

    before = subscriptions()
    assert sim.run(parent, children=2).state == "Completed"
    assert subscriptions() == before
