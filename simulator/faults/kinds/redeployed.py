"""A deployment is changed while it lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.deployments import DeploymentFault
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow


@dataclass(frozen=True, kw_only=True)
class Redeployed(DeploymentFault):
    """Somebody deploys the `deployment` "flow/deployment" anew, with other `parameters`, while its runs
    go on; at the second of `between` the old ones are back. Runs that the scheduler has made before
    keep what they were made with, until it makes them again.
    """

    kind: ClassVar[str] = "redeployed"

    parameters: Mapping[str, Any]

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "parameters": arguments.an(Mapping, right="a dictionary of parameters"),
    }

    def strike(self, engine: VirtualStage, blow: Blow) -> Any:
        before = engine.client.read_deployment_by_name(self.deployment)
        self._deploy(engine, before.id, {**before.parameters, **self.parameters})
        blow.note()
        return before

    def end(self, engine: VirtualStage, kept: Any) -> None:
        self._deploy(engine, kept.id, kept.parameters)

    def _deploy(self, engine: VirtualStage, deployment_id: Any, parameters: dict[str, Any]) -> None:
        from prefect.client.schemas.actions import DeploymentUpdate

        engine.client.update_deployment(deployment_id, DeploymentUpdate(parameters=parameters))

    def does(self) -> str:
        return f"deploys {self.deployment} anew with {dict(self.parameters)}"
