"""Events that come before the one that they follow."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from prefect import flow
from prefect.events import DeploymentEventTrigger, Event, emit_event

from simulator import Simulation

PARKED_UP_TO = timedelta(minutes=5)  # between an event and the one that it follows

RESOURCE = {"prefect.resource.id": "a.story"}


@flow
def tells(name: str, with_leader: bool = False):
    leader = Event(event="leads", resource=RESOURCE, id=uuid4())
    emit_event(name, resource=RESOURCE, follows=leader)
    if with_leader:
        emit_event("leads", resource=RESOURCE, id=leader.id)


@flow
def follower():
    pass


@pytest.fixture(scope="module")
def sim():
    with Simulation(start="2026-01-05T00:00:00Z") as simulation:
        simulation.deploy(
            follower, name="dev", triggers=[DeploymentEventTrigger(expect={"follows"})]
        )
        yield simulation


def test_an_event_whose_leader_never_comes_is_evaluated_a_quarter_of_an_hour_later(sim):
    for _ in range(2):
        before = len(sim.runs("follower"))
        sim.run(tells, name="follows")
        told = sim.now
        sim.advance(minutes=14, seconds=59)
        assert len(sim.runs("follower")) == before
        sim.advance(minutes=2)
        ordered = sim.runs("follower")[before].scheduled
        assert timedelta(minutes=15) <= ordered - told <= timedelta(minutes=15, seconds=5)


def test_an_event_whose_leader_comes_is_evaluated_with_it(sim):
    before = len(sim.runs("follower"))
    sim.run(tells, name="follows", with_leader=True)
    told = sim.now
    sim.advance(minutes=1)
    ordered = sim.runs("follower")[before].scheduled
    assert ordered - told < timedelta(seconds=1)
    sim.advance(hours=1)
    assert len(sim.runs("follower")) == before + 1


@flow
def scheduled():
    pass


@flow
def hears():
    pass


def test_of_a_run_that_a_schedule_has_just_made_is_heard_a_quarter_of_an_hour_late(sim):
    """Prefect tells nobody that a schedule has made a run, and events within five minutes of that wait to
    hear of it. A live server of 3.9.1 was seen to do the same.
    """
    ended = DeploymentEventTrigger(
        expect={"prefect.flow-run.Completed"},
        match_related={"prefect.resource.name": "often", "prefect.resource.role": "deployment"},
    )
    sim.deploy(scheduled, name="often", cron="*/2 * * * *")
    sim.deploy(hears, name="dev", triggers=[ended])
    sim.advance(minutes=21)
    heard = sorted(run.scheduled for run in sim.runs("hears"))
    runs = sim.runs("scheduled")
    late = [run for run in runs if run.states[1].timestamp - run.states[0].timestamp < PARKED_UP_TO]
    assert 2 <= len(late) < len(runs) / 2
    expected = [run.end + (timedelta(minutes=15) if run in late else timedelta(0)) for run in runs]
    waited = [at - due for at, due in zip(heard, sorted(expected), strict=True)]
    assert all(abs(one) < timedelta(seconds=10) for one in waited), waited
