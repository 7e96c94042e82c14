"""Heartbeats: at Prefect's interval, and over with their run. What `simulator.patches.prefect.heartbeats` says."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import defaultdict
from datetime import timedelta

import pytest
from prefect import flow, flow_engine
from prefect.client.orchestration import get_client
from prefect.events.filters import EventFilter, EventNameFilter, EventOrder
from prefect.settings.models.flows import FlowsSettings

from simulator import NothingToRun, Simulation


@flow
def ten_minutes():
    time.sleep(600)


@flow
async def ten_minutes_awaited():
    await asyncio.sleep(600)


@flow
def fails_after_ten_minutes():
    time.sleep(600)
    raise ValueError("at the end")


def beats(sim: Simulation) -> dict[str, list[int]]:
    """By flow, the seconds from the start of its run to each of its heartbeats."""
    heartbeats = EventFilter(
        event=EventNameFilter(name=["prefect.flow-run.heartbeat"]), order=EventOrder.ASC
    )
    with get_client(sync_client=True) as client:
        page = client.read_events(heartbeats, limit=50)
    assert page.total == len(page.events)
    runs = {f"prefect.flow-run.{run.id}": run for run in sim.runs()}
    found: dict[str, list[int]] = defaultdict(list)
    for event in page.events:
        run = runs[event.resource.id]
        found[run.flow].append(round((event.occurred - run.start).total_seconds()))
    return dict(found)


def test_a_run_sends_heartbeats_at_prefects_interval_from_its_start_to_its_end():
    with Simulation() as sim:
        for one in (ten_minutes, ten_minutes_awaited, fails_after_ten_minutes):
            sim.run(one)
        sim.advance(minutes=10)
        sent = beats(sim)
        assert len(sent) == 3
        assert all(at == [0, 180, 360, 540] for at in sent.values())


def test_the_interval_is_prefects_own():
    assert FlowsSettings.model_fields["heartbeat_frequency"].default == 180


@pytest.mark.parametrize(("frequency", "expected"), [(120, [0, 120, 240, 360, 480]), (None, [])])
def test_the_interval_is_a_setting(frequency, expected):
    with Simulation(settings={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": frequency}) as sim:
        sim.run(ten_minutes)
        sim.advance(minutes=10)
        assert beats(sim).get("ten-minutes", []) == expected


def test_a_process_that_is_killed_sends_none_any_more():
    with Simulation() as sim:
        sim.deploy(ten_minutes, name="dev")
        sim.trigger("ten-minutes/dev")
        sim.advance(minutes=5)
        sim.kill(sim.runs("ten-minutes")[0])
        sim.advance(minutes=10)
        assert beats(sim) == {"ten-minutes": [0, 180]}


def test_who_calls_a_flow_does_not_wait_for_its_heartbeats_to_end():
    """Neither a whole number of seconds nor any other takes longer by a heartbeat's thread."""
    took = []

    @flow
    def takes(seconds: float):
        time.sleep(seconds)

    @flow
    def calls():
        for seconds in (60, 0.5, 2.25):
            began = time.monotonic()
            takes(seconds)
            took.append(round(time.monotonic() - began, 2))

    with Simulation() as sim:
        assert sim.run(calls).state == "Completed"
    assert took == [60, 0.5, 2.25]


@flow
def waits_for_ever():
    threading.Event().wait()


def test_a_flow_that_waits_for_ever_is_told_of_though_its_heart_beats():
    """Also where the heartbeats of another one, which began later, go on beside it."""
    with Simulation() as sim:
        sim.deploy(waits_for_ever, name="dev")
        sim.trigger("waits-for-ever/dev")
        sim.advance(minutes=1)
        with pytest.raises(NothingToRun) as told:
            sim.run(waits_for_ever)
        assert "thread 'heartbeats'" not in str(told.value)
        assert sim.now - sim.start < timedelta(hours=1)


def test_no_thread_of_a_heartbeat_is_left():
    with Simulation() as sim:
        sim.run(ten_minutes)
        names = [thread.name for thread in threading.enumerate()]
        assert "heartbeats" not in names


def test_prefect_still_sleeps_through_the_end_of_a_run():
    """The patch stands for this loop. If Prefect waits otherwise, or sends otherwise, look at it anew."""
    source = inspect.getsource(inspect.unwrap(flow_engine._send_heartbeats))
    assert "for _ in range(heartbeat_seconds):" in source
    assert "time.sleep(1)" in source
    assert "thread.join(timeout=2)" in source
