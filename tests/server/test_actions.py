"""Every action that an automation can take, in one simulation: each does what Prefect's server does."""

from __future__ import annotations

import http.server
import json
import threading
import time
import typing
from typing import Any

import pytest
from prefect import flow
from prefect.automations import AutomationCore
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events import EventTrigger, Posture, emit_event
from prefect.events import actions as prefect_actions
from prefect.events.actions import (
    ActionTypes,
    CallWebhook,
    CancelFlowRun,
    ChangeFlowRunState,
    DeclareIncident,
    DeleteFlowRun,
    DoNothing,
    PauseAutomation,
    PauseDeployment,
    PauseWorkPool,
    PauseWorkQueue,
    ResumeAutomation,
    ResumeDeployment,
    ResumeFlowRun,
    ResumeWorkPool,
    ResumeWorkQueue,
    RunDeployment,
    SendNotification,
    SuspendFlowRun,
)
from prefect.events.filters import EventFilter, EventNameFilter, EventOrder
from prefect.flow_runs import pause_flow_run

from simulator import Simulation


@flow
def asks(what: str, about: str = "nothing"):
    emit_event(f"asked.{what}", resource={"prefect.resource.id": about})


@flow
def works(seconds: float = 3600):
    time.sleep(seconds)


@flow
def pauses():
    pause_flow_run(timeout=3600)


@pytest.fixture(scope="module")
def sim():
    with Simulation() as simulation:
        simulation.deploy(works, name="dev")
        yield simulation


@pytest.fixture(scope="module")
def client(sim):
    with get_client(sync_client=True) as one:
        yield one


def asking(sim: Simulation, client: SyncPrefectClient, action: Any, about: str = "nothing") -> Any:
    """Let an automation take an action, and return the event that says what became of it."""
    name = action.type
    client.create_automation(
        AutomationCore(
            name=name,
            trigger=EventTrigger(expect={f"asked.{name}"}, posture=Posture.Reactive, threshold=1),
            actions=[action],
        )
    )
    sim.run(asks, what=name, about=about)
    sim.advance(seconds=10)  # events are written every few seconds
    names = EventNameFilter(prefix=["prefect.automation.action."])
    wanted = EventFilter(event=names, order=EventOrder.DESC)
    events = [
        event
        for event in client.read_events(wanted, limit=50).events
        if event.payload["action_type"] == name and not event.event.endswith(".triggered")
    ]
    assert len(events) == 1
    return events[0]


def executed(event: Any) -> bool:
    return event.event == "prefect.automation.action.executed"


def test_nothing(sim, client):
    assert executed(asking(sim, client, DoNothing()))


def test_a_deployment_is_paused_and_resumed(sim, client):
    deployment = client.read_deployment_by_name("works/dev").id
    for kind, paused in ((PauseDeployment, True), (ResumeDeployment, False)):
        assert executed(asking(sim, client, kind(source="selected", deployment_id=deployment)))
        assert client.read_deployment(deployment).paused is paused


def test_a_work_queue_is_paused_and_resumed(sim, client):
    queue = client.read_work_queue_by_name("default", "default").id
    for kind, paused in ((PauseWorkQueue, True), (ResumeWorkQueue, False)):
        assert executed(asking(sim, client, kind(source="selected", work_queue_id=queue)))
        assert client.read_work_queue(queue).is_paused is paused


def test_a_work_pool_is_paused_and_resumed(sim, client):
    pool = client.read_work_pool("default").id
    for kind, paused in ((PauseWorkPool, True), (ResumeWorkPool, False)):
        assert executed(asking(sim, client, kind(source="selected", work_pool_id=pool)))
        assert client.read_work_pool("default").is_paused is paused


def test_an_automation_is_paused_and_resumed(sim, client):
    never = EventTrigger(expect={"never"}, posture=Posture.Reactive, threshold=1)
    other = client.create_automation(AutomationCore(name="other", trigger=never, actions=[]))
    for kind, enabled in ((PauseAutomation, False), (ResumeAutomation, True)):
        assert executed(asking(sim, client, kind(source="selected", automation_id=other)))
        assert client.read_automation(other).enabled is enabled


def test_a_deployment_runs(sim, client):
    deployment = client.read_deployment_by_name("works/dev").id
    run = RunDeployment(source="selected", deployment_id=deployment, parameters={"seconds": 7})
    assert executed(asking(sim, client, run))
    sim.advance(minutes=1)
    assert [run.state for run in sim.runs("works") if run.parameters == {"seconds": 7}] == [
        "Completed"
    ]


def running(sim: Simulation, name: str, parameters: dict[str, Any]) -> Any:
    run = sim.trigger(f"{name}/dev", parameters)
    sim.advance(seconds=30)
    return run


@pytest.mark.parametrize(
    ("action", "states"),
    [
        (CancelFlowRun(), ["Running", "Cancelling", "Cancelled"]),
        (ChangeFlowRunState(state=StateType.FAILED, name="GivenUp"), ["Running", "GivenUp"]),
    ],
    ids=lambda given: getattr(given, "type", ""),
)
def test_a_run_is_set_to_another_state(sim, client, action, states):
    run = running(sim, "works", {"seconds": 600})
    assert executed(asking(sim, client, action, f"prefect.flow-run.{run}"))
    sim.advance(minutes=1)
    assert [state.name for state in sim.history().run(run).states][-len(states) :] == states


def test_a_run_is_deleted(sim, client):
    run = sim.trigger("works/dev", {"seconds": 1})
    sim.advance(minutes=1)
    assert executed(asking(sim, client, DeleteFlowRun(), f"prefect.flow-run.{run}"))
    assert run not in {one.id for one in sim.runs()}


def test_a_run_is_suspended(sim, client):
    run = running(sim, "works", {"seconds": 600})
    assert executed(asking(sim, client, SuspendFlowRun(), f"prefect.flow-run.{run}"))
    assert "Suspended" in [state.name for state in sim.history().run(run).states]


def test_a_paused_run_is_resumed(sim, client):
    sim.deploy(pauses, name="dev")
    run = running(sim, "pauses", {})
    assert sim.history().run(run).state == "Paused"
    assert executed(asking(sim, client, ResumeFlowRun(), f"prefect.flow-run.{run}"))
    sim.advance(minutes=1)
    assert sim.history().run(run).state == "Completed"


@pytest.fixture
def listener():
    """A server on the loopback, its address, and what it was sent."""
    sent: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", sent
        server.shutdown()
        thread.join()


def test_a_webhook_is_called(sim, client, listener):
    address, sent = listener
    block = Webhook(url=address, allow_private_urls=True).save("hook")
    hook = CallWebhook(block_document_id=block, payload='{"says": "{{ event.event }}"}')
    assert executed(asking(sim, client, hook))
    assert [json.loads(one) for one in sent] == [{"says": "asked.call-webhook"}]


def test_no_action_is_forgotten():
    """A new one of Prefect's needs a test; notifications need a service, incidents Prefect Cloud."""
    elsewhere = {SendNotification, DeclareIncident}
    tried = {
        kind
        for kind in globals().values()
        if isinstance(kind, type) and kind.__module__ == prefect_actions.__name__
    }
    assert set(typing.get_args(ActionTypes)) == tried
    assert elsewhere < tried
