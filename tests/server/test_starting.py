"""A server that does not come up is told of, in time and by name."""

import threading

import pytest
from prefect import flow, get_client
from prefect.events import emit_event
from prefect.server.events.services import event_persister
from prefect.server.services.base import RunInEphemeralServers

from simulator import Simulation, SimulationError
from simulator.server import starting

TOLD = {"event": {"name": ["told"]}}


@flow
def tells():
    """Emit an event."""
    emit_event("told", resource={"prefect.resource.id": "a.story"})


def serving():
    return [thread for thread in threading.enumerate() if thread.name == "prefect-server"]


@pytest.fixture
def services():
    return {service.__name__: service for service in RunInEphemeralServers.enabled_services()}


@pytest.mark.parametrize("name", ["TaskRunRecorder", "ReactiveTriggers"])
def test_a_service_that_waits_for_ever_is_named(services, name, monkeypatch):
    async def hangs(self):
        import asyncio

        await asyncio.Event().wait()

    async def stop(self): ...

    monkeypatch.setattr(services[name], "start", hangs)
    monkeypatch.setattr(services[name], "stop", stop)
    monkeypatch.setattr(starting, "SECONDS", 3.0)
    with pytest.raises(SimulationError, match=f"within 3 s of real time: its service {name} did"):
        with Simulation():
            pass
    assert not serving()
    monkeypatch.undo()
    with Simulation():
        pass


def test_a_service_that_fails_is_named_at_once(services, monkeypatch):
    async def fails(self):
        raise OSError("no such table")

    async def stop(self): ...

    monkeypatch.setattr(services["EventPersister"], "start", fails)
    monkeypatch.setattr(services["EventPersister"], "stop", stop)
    with pytest.raises(
        SimulationError, match="its service EventPersister has ended by OSError: no such table"
    ):
        with Simulation():
            pass


def test_a_server_that_blocks_says_where_it_stands_and_harms_no_other(services, monkeypatch):
    gate = threading.Event()
    create_handler = event_persister.create_handler

    async def blocks(self):
        gate.wait()

    async def stop(self): ...

    monkeypatch.setattr(services["EventPersister"], "start", blocks)
    monkeypatch.setattr(services["EventPersister"], "stop", stop)
    monkeypatch.setattr(starting, "SECONDS", 0.5)
    with pytest.raises(SimulationError, match=r"it stands at .*test_starting\.py:\d+ in blocks"):
        with Simulation():
            pass
    assert event_persister.create_handler is create_handler
    (hung,) = serving()
    monkeypatch.undo()
    with Simulation() as sim:
        gate.set()
        hung.join()
        sim.run(tells)
        sim.advance(seconds=5)
        with get_client(sync_client=True) as client:
            told = client.request("POST", "/events/filter", json={"filter": TOLD}).json()
    assert told["total"] == 1
    assert event_persister.create_handler is create_handler
