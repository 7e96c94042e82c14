"""A deployment is changed while it lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.deployments import DeploymentFault
from simulator.faults.plans import Stage, VirtualStage, changed
from simulator.faults.timed import Blow
from simulator.places import short

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.client.schemas.schedules import CronSchedule


@dataclass(frozen=True, kw_only=True)
class Redeployed(DeploymentFault):
    """Somebody deploys the `deployment` "flow/deployment" anew, while its runs go on: with other
    `parameters` beside those that stay, with other code (an `entrypoint` "file.py:flow" in the folder
    `path`), or with a `cron` in `timezone` in place of its schedules; at the second of `between` the old
    ones are back. Runs that have begun go on with the code that they have; those that wait get the new
    code and keep their parameters, and Prefect makes anew what schedules have made for later.
    """

    kind: ClassVar[str] = "redeployed"

    parameters: Mapping[str, Any] | None = None
    entrypoint: str | None = None
    path: str | None = None
    cron: str | None = None
    timezone: str | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "parameters": arguments.optional(arguments.an(Mapping, right="a dictionary of parameters")),
        "entrypoint": arguments.optional(arguments.text),
        "path": arguments.optional(lambda what, given: arguments.text(what, str(given))),
        "cron": arguments.optional(arguments.text),
        "timezone": arguments.optional(arguments.text),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self._new():
            said = f"{self.kind} of {self.deployment!r}"
            raise SimulationError(f"{said} needs parameters=, entrypoint=, path= or cron=")
        if self.timezone is not None and self.cron is None:
            raise SimulationError(f"timezone={self.timezone!r} is that of a cron=")

    def _new(self) -> dict[str, Any]:
        """What is deployed anew."""
        names = ("parameters", "entrypoint", "path", "cron")
        return {name: value for name, value in changed(self).items() if name in names}

    def check(self, stage: Stage) -> None:
        super().check(stage)
        self._schedule()

    def _schedule(self) -> CronSchedule:
        from prefect.client.schemas.schedules import CronSchedule  # late: not without Prefect
        from pydantic import ValidationError

        try:
            return CronSchedule(cron=self.cron or "* * * * *", timezone=self.timezone or "UTC")
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            given = f"cron={self.cron!r}, timezone={self.timezone!r}"
            raise SimulationError(f"{given}: {' '.join(said.split())}") from None

    def strike(self, engine: VirtualStage, blow: Blow) -> DeploymentResponse:
        from prefect.client.schemas.actions import DeploymentScheduleCreate

        before = engine.client.read_deployment_by_name(self.deployment)
        new: dict[str, Any] = {}
        if self.parameters is not None:
            new["parameters"] = {**before.parameters, **self.parameters}
        if self.entrypoint is not None:
            new["entrypoint"] = self.entrypoint
        if self.path is not None:
            # As `prefect deploy` writes down code that lies on the machine of the worker.
            folder = {"directory": self.path}
            new["path"] = self.path
            new["pull_steps"] = [{"prefect.deployments.steps.set_working_directory": folder}]
        schedules = None
        if self.cron is not None:
            schedules = [DeploymentScheduleCreate(schedule=self._schedule(), active=True)]
        self._deploy(engine, before.id, new, schedules)
        file = (self.entrypoint or before.entrypoint or "").partition(":")[0]
        code = self.entrypoint is not None or self.path is not None
        blow.note(code=[short(str(Path(self.path or "", file)))] if code else [])
        return before

    def end(self, engine: VirtualStage, kept: DeploymentResponse) -> None:
        from prefect.client.schemas.actions import DeploymentScheduleCreate

        names = set(self._new()) - {"cron"} | ({"pull_steps"} if self.path is not None else set())
        schedules = [
            DeploymentScheduleCreate(**one.model_dump(include={"schedule", "active", "slug"}))
            for one in kept.schedules
        ]
        old = {name: getattr(kept, name) for name in names}
        self._deploy(engine, kept.id, old, None if self.cron is None else schedules)

    def _deploy(
        self,
        engine: VirtualStage,
        deployment_id: Any,
        new: dict[str, Any],
        schedules: list[Any] | None,
    ) -> None:
        from prefect.client.schemas.actions import DeploymentUpdate
        from prefect.exceptions import PrefectHTTPStatusError

        client = engine.client
        try:
            client.update_deployment(deployment_id, DeploymentUpdate(**new))
        except PrefectHTTPStatusError as error:
            reason = " ".join(error.response.text.split())
            raise SimulationError(f"{self.does()}: {reason}") from None
        if schedules is not None:
            for one in client.read_deployment_schedules(deployment_id):
                client.delete_deployment_schedule(deployment_id, one.id)
            if schedules:
                client.create_deployment_schedules(deployment_id, schedules)

    def does(self) -> str:
        new = ", ".join(f"{name} {value!r}" for name, value in self._new().items())
        return f"deploys {self.deployment} anew with {new}"
