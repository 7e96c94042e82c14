"""Who cancelled a run: an automation, by its name."""

from __future__ import annotations

import time
from datetime import timedelta

from prefect import flow, get_client
from prefect.automations import Automation
from prefect.events.actions import CancelFlowRun
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.states import Cancelled

from simulator import Simulation


@flow
def slow():
    time.sleep(1200)


def test_the_automation_that_cancelled_a_run_is_named() -> None:
    with Simulation() as sim:
        sim.deploy(slow, name="dev")
        Automation(
            name="too long",
            trigger=EventTrigger(
                after={"prefect.flow-run.Running"},
                expect={"prefect.flow-run.Completed"},
                match={"prefect.resource.id": "prefect.flow-run.*"},
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=300),
            ),
            actions=[CancelFlowRun()],
        ).create()
        run = sim.trigger("slow/dev")
        sim.advance(minutes=15)
        why = str(sim.explain(run))
        assert "Cancelled: an automation asked for it" in why
        assert "because the automation 'too long' cancelled it" in why


def test_an_end_that_somebody_has_set_while_its_process_goes_on_is_told() -> None:
    with Simulation() as sim:
        sim.deploy(slow, name="dev")
        run = sim.trigger("slow/dev")
        sim.advance(minutes=1)
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run, Cancelled(), force=True)
        sim.advance(minutes=30)
        why = str(sim.explain(run))
        assert "Completed, though it had been Cancelled before, while its process went on" in why
        assert "because Cancelled was asked for" in why
        assert "test_explaining_cancelled.py" in why
