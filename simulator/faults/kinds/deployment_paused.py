"""A deployment is paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.arguments import unknown
from simulator.faults.plans import Stage, VirtualStage, virtual
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class DeploymentPaused(TimedFault):
    """Somebody pauses the `deployment` "flow/deployment", with its schedules, and resumes it at the
    second of `between`: what would have been due meanwhile is never made up for.
    """

    kind: ClassVar[str] = "deployment paused"

    deployment: str

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"deployment": arguments.full_name}

    @property
    def target(self) -> str:
        return self.deployment

    def check(self, stage: Stage) -> None:
        super().check(stage)
        known = virtual(stage, self).deployment_names()
        if self.deployment not in known:
            raise unknown("deployment", self.deployment, known)

    def strike(self, engine: VirtualStage, blow: Blow) -> Any:
        found = engine.client.read_deployment_by_name(self.deployment)
        engine.client.pause_deployment(found.id)
        blow.note()
        return found.id

    def end(self, engine: VirtualStage, kept: Any) -> None:
        engine.client.resume_deployment(kept)

    def does(self) -> str:
        return f"pauses {self.deployment}"
