"""Faults of a deployment, by its full name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.arguments import unknown
from simulator.faults.plans import Stage, virtual
from simulator.faults.timed import TimedFault


@dataclass(frozen=True, kw_only=True)
class DeploymentFault(TimedFault):
    """Somebody does something to the `deployment` "flow/deployment"."""

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
