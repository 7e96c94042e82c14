"""Patches of Prefect's server: each with what it is needed for."""

from __future__ import annotations

import pytest
from prefect import flow, get_client
from prefect.events import emit_event
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.server.api import server as prefect_api
from prefect.server.api.clients import OrchestrationClient
from prefect.server.database import orm_models
from prefect.server.events.services import event_persister
from prefect.server.models import flow_runs
from prefect.utilities.schema_tools import validation
from sqlalchemy import Engine, event

from simulator import Simulation
from simulator.server import application

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


def application_of_an_action():
    return OrchestrationClient()._http_client._transport.app


def test_an_action_would_find_another_application():
    assert application_of_an_action() is not application()


def test_an_action_finds_the_application_that_runs(sim):
    assert application_of_an_action() is application()
    assert prefect_api.create_app(ephemeral=True, ignore_cache=True) is not application()


def loading():
    """How SQLAlchemy reads what belongs to a run."""
    runs, queues = (orm_models.FlowRun, orm_models.TaskRun), orm_models.WorkQueue
    found = [run._state.property for run in runs]
    found += [one.work_queue.property for one in (orm_models.FlowRun, orm_models.Deployment)]
    found.append(queues.work_pool.property)
    explicit = flow_runs.selectinload.__name__
    return {one.lazy for one in found}, {type(one.strategy).__name__ for one in found}, explicit


def test_a_run_would_be_read_in_four_statements():
    assert loading() == ({"selectin"}, {"SelectInLoader"}, "selectinload")


def test_a_run_is_read_in_one_statement():
    @event.listens_for(Engine, "before_cursor_execute")
    def note(connection, cursor, statement, *_):
        statements.append(statement)

    statements: list[str] = []
    try:
        with (
            Simulation(start="2026-01-05T00:00:00Z") as sim,
            get_client(sync_client=True) as client,
        ):
            sim.deploy(nothing, name="dev")
            sim.trigger("nothing/dev")
            sim.advance(minutes=1)
            (run,) = sim.runs("nothing")
            statements.clear()
            found = client.read_flow_run(run.id)
            assert [one.split()[0] for one in statements] == ["SELECT"]
            assert (found.state.name, found.work_pool_name) == ("Completed", "default")
            assert found.work_queue_name == "default"
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert loading() == ({"selectin"}, {"SelectInLoader"}, "selectinload")
