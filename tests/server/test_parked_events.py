"""Events that come before the one that they follow."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from prefect import flow
from prefect.events import DeploymentEventTrigger, Event, emit_event

from simulator import Simulation

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
