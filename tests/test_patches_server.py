"""Patches of Prefect's server: each with what it is needed for."""

from __future__ import annotations

import pytest
from prefect import flow, get_client
from prefect.events import emit_event
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.server.events.services import event_persister
from prefect.utilities.schema_tools import validation

from simulator import Simulation

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@flow
def nothing():
    pass


@flow
def telling():
    emit_event("told", resource={"prefect.resource.id": "a.story"})


@pytest.fixture
def sim():
    with Simulation(start="2026-01-05T00:00:00Z") as simulation:
        yield simulation


@pytest.fixture
def checks(monkeypatch):
    """The schemas that are held against the schema of schemas, one after the other."""
    checked = []
    iter_errors = validation._VALIDATOR.iter_errors

    def counted(self, instance, *args, **kwargs):
        if self.schema is validation._VALIDATOR.META_SCHEMA:
            checked.append(instance)
        return iter_errors(self, instance, *args, **kwargs)

    monkeypatch.setattr(validation._VALIDATOR, "iter_errors", counted)
    return checked


def test_a_schema_would_be_checked_again_and_again(checks):
    for _ in range(3):
        validation.is_valid_schema(SCHEMA, preprocess=False)
    assert checks == [SCHEMA] * 3


def test_a_schema_is_checked_once(sim, checks):
    schema = SCHEMA | {"title": "checked once"}
    for _ in range(3):
        validation.is_valid_schema(schema, preprocess=False)
    assert checks == [schema]


def test_a_bad_schema_is_refused_every_time(sim):
    for _ in range(2):
        with pytest.raises(ValueError, match="Invalid schema"):
            validation.is_valid_schema({"type": "nonsense"}, preprocess=False)


def told():
    with get_client(sync_client=True) as client:
        wanted = EventFilter(event=EventNameFilter(name=["told"]))
        return client.request(
            "POST", "/events/filter", json={"filter": wanted.model_dump(mode="json")}
        ).json()["events"]


def test_the_event_persister_would_sleep_in_real_time():
    assert event_persister.asyncio.sleep.__module__ == "asyncio.tasks"


def test_events_are_written_every_five_virtual_seconds(sim):
    sim.advance(seconds=1)
    sim.run(telling)
    assert told() == []
    sim.advance(seconds=5)
    assert [event["resource"]["prefect.resource.id"] for event in told()] == ["a.story"]


def test_the_event_persister_rests_when_there_is_nothing_to_write(sim):
    sim.run(telling)
    sim.advance(hours=1)
    (persister,) = [one for one in sim._world.services.loops if one.name == "event persister"]
    fired = persister.fired
    assert 1 <= fired <= 2
    sim.advance(days=10)
    assert persister.fired == fired
