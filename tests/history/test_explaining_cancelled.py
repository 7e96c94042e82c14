"""Who cancelled a run: an automation, by its name."""

from __future__ import annotations

import time
from datetime import timedelta

from prefect import flow
from prefect.automations import Automation
from prefect.events.actions import CancelFlowRun
from prefect.events.schemas.automations import EventTrigger, Posture

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
