"""A deployment is changed while it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.arguments import unknown
from simulator.errors import SimulationError
from simulator.faults.deployments import DeploymentFault
from simulator.faults.layers import Layer
from simulator.faults.plans import Stage, VirtualStage, changed, virtual
from simulator.faults.timed import Blow
from simulator.places import short

if TYPE_CHECKING:
    from uuid import UUID

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
        if self.parameters is not None:
            deployment = virtual(stage, self).client.read_deployment_by_name(self.deployment)
            self._check_parameters(deployment)

    def _check_parameters(self, deployment: DeploymentResponse) -> None:
        """Refuse a value that Prefect's server would, and a name with which no run could begin."""
        from prefect.utilities.schema_tools.validation import ValidationError, validate

        schema = deployment.parameter_openapi_schema
        if not (deployment.enforce_parameter_schema and schema):
            return
        known = schema.get("properties", {})
        other_code = self.entrypoint is not None or self.path is not None
        for name in self.parameters or ():
            if name not in known and not other_code:
                raise unknown(
                    f"parameter of deployment {self.deployment!r} named",
                    name,
                    known,
                    few=bool(known),
                )
        given = self._overlays()["parameters"](deployment.parameters)
        try:
            validate(given, schema, raise_on_error=True, ignore_required=True)
        except ValidationError as error:
            said = " ".join(str(error).split())
            raise SimulationError(f"{self.does()}: {said}") from None

    def _schedule(self) -> CronSchedule:
        from prefect.client.schemas.schedules import CronSchedule  # late: not without Prefect
        from pydantic import ValidationError

        try:
            return CronSchedule(cron=self.cron or "* * * * *", timezone=self.timezone or "UTC")
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            given = f"cron={self.cron!r}, timezone={self.timezone!r}"
            raise SimulationError(f"{given}: {' '.join(said.split())}") from None

    def strike(self, engine: VirtualStage, blow: Blow) -> tuple[UUID, dict[str, Layer]]:
        before = engine.client.read_deployment_by_name(self.deployment)
        found = _read(before)
        layers = {
            name: engine.layers.lay((name, before.id), over, found[name])
            for name, over in self._overlays().items()
        }
        self._deploy(engine, before.id, {name: layer.left for name, layer in layers.items()})
        file = (self.entrypoint or before.entrypoint or "").partition(":")[0]
        code = self.entrypoint is not None or self.path is not None
        blow.note(code=[short(str(Path(self.path or "", file)))] if code else [])
        return before.id, layers

    def end(self, engine: VirtualStage, kept: tuple[UUID, dict[str, Layer]]) -> None:
        deployment_id, layers = kept
        now = _read(engine.client.read_deployment(deployment_id))
        without = {name: engine.layers.lift(layer, now[name]) for name, layer in layers.items()}
        changed = {name: value for name, value in without.items() if value != now[name]}
        if changed:
            self._deploy(engine, deployment_id, changed)

    def _overlays(self) -> dict[str, Callable[[Any], Any]]:
        """What it makes of each part of the deployment, of what that was before."""
        from prefect.client.schemas.actions import DeploymentUpdate

        parts: dict[str, Callable[[Any], Any]] = {}
        if self.parameters is not None:
            update = DeploymentUpdate(parameters=dict(self.parameters))
            given = update.model_dump(mode="json")["parameters"]  # as the server keeps them
            parts["parameters"] = lambda before: {**before, **given}
        if self.entrypoint is not None:
            parts["entrypoint"] = lambda _: self.entrypoint
        if self.path is not None:
            # As `prefect deploy` writes down code that lies on the machine of the worker.
            folder = {"directory": self.path}
            steps = [{"prefect.deployments.steps.set_working_directory": folder}]
            parts["path"] = lambda _: self.path
            parts["pull_steps"] = lambda _: steps
        if self.cron is not None:
            schedule = {"schedule": self._schedule().model_dump(), "active": True, "slug": None}
            parts["schedules"] = lambda _: [schedule]
        return parts

    def _deploy(self, engine: VirtualStage, deployment_id: UUID, new: dict[str, Any]) -> None:
        from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
        from prefect.exceptions import PrefectHTTPStatusError

        client = engine.client
        schedules = new.pop("schedules", None)
        try:
            client.update_deployment(deployment_id, DeploymentUpdate(**new))
        except PrefectHTTPStatusError as error:
            reason = " ".join(error.response.text.split())
            raise SimulationError(f"{self.does()}: {reason}") from None
        if schedules is not None:
            for one in client.read_deployment_schedules(deployment_id):
                client.delete_deployment_schedule(deployment_id, one.id)
            if schedules:
                made = [DeploymentScheduleCreate(**one) for one in schedules]
                client.create_deployment_schedules(deployment_id, made)

    def does(self) -> str:
        new = ", ".join(f"{name} {value!r}" for name, value in self._new().items())
        return f"deploys {self.deployment} anew with {new}"


def _read(deployment: DeploymentResponse) -> dict[str, Any]:
    """What may be deployed anew, as it is."""
    kept = {name: getattr(deployment, name) for name in _PARTS}
    said = {"schedule", "active", "slug"}
    kept["schedules"] = [one.model_dump(include=said) for one in deployment.schedules]
    return kept


_PARTS = ("parameters", "entrypoint", "path", "pull_steps")
