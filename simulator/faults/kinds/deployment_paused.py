"""A deployment is paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.faults.deployments import DeploymentFault
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow


@dataclass(frozen=True, kw_only=True)
class DeploymentPaused(DeploymentFault):
    """Somebody pauses the `deployment` "flow/deployment", with its schedules, and resumes it at the
    second of `between`: what would have been due meanwhile is never made up for.
    """

    kind: ClassVar[str] = "deployment paused"

    def strike(self, engine: VirtualStage, blow: Blow) -> Any:
        found = engine.client.read_deployment_by_name(self.deployment)
        engine.client.pause_deployment(found.id)
        blow.note()
        return found.id

    def end(self, engine: VirtualStage, kept: Any) -> None:
        engine.client.resume_deployment(kept)

    def does(self) -> str:
        return f"pauses {self.deployment}"
