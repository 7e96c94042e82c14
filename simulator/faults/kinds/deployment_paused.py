"""A deployment is paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from simulator.faults.deployments import DeploymentFault
from simulator.faults.layers import Layer
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow


@dataclass(frozen=True, kw_only=True)
class DeploymentPaused(DeploymentFault):
    """Somebody pauses the `deployment` "flow/deployment", with its schedules, and resumes it at the
    second of `between`, unless it was paused before: what would have been due meanwhile is never made up
    for.
    """

    kind: ClassVar[str] = "deployment paused"

    def strike(self, engine: VirtualStage, blow: Blow) -> tuple[UUID, Layer]:
        found = engine.client.read_deployment_by_name(self.deployment)
        layer = engine.layers.lay(("paused", found.id), lambda _: True, found.paused)
        engine.client.pause_deployment(found.id)
        blow.note()
        return found.id, layer

    def end(self, engine: VirtualStage, kept: tuple[UUID, Layer]) -> None:
        found, layer = kept
        now = engine.client.read_deployment(found).paused
        if now and not engine.layers.lift(layer, now):
            engine.client.resume_deployment(found)

    def does(self) -> str:
        return f"pauses {self.deployment}"
