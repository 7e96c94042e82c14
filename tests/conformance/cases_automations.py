"""Automations: runs that react to other runs."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.events import (
    AutomationCore,
    DeploymentEventTrigger,
    EventTrigger,
    Posture,
)
from prefect.events.actions import CancelFlowRun, RunDeployment

from simulator import Simulation
from tests.conformance.case import case, ended, until
from tests.conformance.shapes import sleeps


@flow
def upstream(fails: bool = False) -> None:
    if fails:
        raise ValueError("upstream failed")


@flow
def downstream() -> None:
    pass


@flow
def clean_up() -> None:
    pass


def _when(deployment: str, *states: str, **options: object) -> DeploymentEventTrigger:
    return DeploymentEventTrigger(
        expect={f"prefect.flow-run.{state}" for state in states},
        match_related={"prefect.resource.name": deployment, "prefect.resource.role": "deployment"},
        **options,
    )


@case()
def run_on_completion(sim: Simulation) -> None:
    """A deployment runs when another one's run has completed; it is no child of that."""
    sim.deploy(upstream, "source")
    sim.deploy(downstream, "on-completion", triggers=[_when("source", "Completed")])
    sim.trigger("upstream/source")
    until(sim, ended(sim, "downstream"))


@case()
def run_on_failure(sim: Simulation) -> None:
    """A clean-up runs when a run has failed, and not when one has completed."""
    sim.deploy(upstream, "watched")
    sim.deploy(clean_up, "on-failure", triggers=[_when("watched", "Failed", "Crashed")])
    sim.trigger("upstream/watched")
    until(sim, ended(sim, "upstream"))
    sim.trigger("upstream/watched", {"fails": True})
    until(sim, ended(sim, "clean-up"))


@case()
def run_after_two(sim: Simulation) -> None:
    """A threshold of two: one run of the downstream for two of the upstream."""
    sim.deploy(upstream, "counted")
    sim.deploy(
        downstream,
        "after-two",
        triggers=[_when("counted", "Completed", threshold=2, within=timedelta(seconds=90))],
    )
    for number in (1, 2):
        sim.trigger("upstream/counted")
        until(sim, ended(sim, "upstream", number))
    until(sim, ended(sim, "downstream"))


@case(concurrent=True)
def alarm_for_what_does_not_happen(sim: Simulation) -> None:
    """A run that has not completed within ten seconds raises an alarm, while it goes on."""
    sim.deploy(sleeps, "stuck")
    alarm = sim.deploy(clean_up, "alarm")
    automation = AutomationCore(
        name="conformance-stuck",
        trigger=EventTrigger(
            after={"prefect.flow-run.Running"},
            expect={"prefect.flow-run.Completed"},
            match_related={
                "prefect.resource.name": "stuck",
                "prefect.resource.role": "deployment",
            },
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=10),
        ),
        actions=[RunDeployment(source="selected", deployment_id=alarm, parameters={})],
    )
    with get_client(sync_client=True) as client:
        created = client.create_automation(automation)
        sim.trigger("sleeps/stuck", {"seconds": 20})
        until(sim, ended(sim, "clean-up"))
        until(sim, ended(sim, "sleeps"))
        client.delete_automation(created)


@case()
def cancelled_by_automation(sim: Simulation) -> None:
    """An automation cancels a run that has not completed ten seconds after its start."""
    sim.deploy(sleeps, "doomed")
    automation = AutomationCore(
        name="conformance-doomed",
        trigger=EventTrigger(
            after={"prefect.flow-run.Running"},
            expect={"prefect.flow-run.Completed"},
            match_related={
                "prefect.resource.name": "doomed",
                "prefect.resource.role": "deployment",
            },
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=10),
        ),
        actions=[CancelFlowRun()],
    )
    with get_client(sync_client=True) as client:
        created = client.create_automation(automation)
        sim.trigger("sleeps/doomed", {"seconds": 60})
        until(sim, ended(sim, "sleeps"))
        client.delete_automation(created)
