"""A deployment that is there already gets other schedules, another limit, or is paused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from simulator.errors import SimulationError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

OF_SCHEDULES = ("cron", "interval", "timezone")


def changed(
    client: SyncPrefectClient, deployment: str, values: Mapping[str, Any], start: datetime
) -> None:
    """Let `values` hold for a deployment in place of what it has; an interval that comes in place of
    something else is counted from `start`.

    Raises SimulationError if a time zone is given and there is no schedule, and for two kinds of one.
    """
    from prefect.client.schemas.actions import DeploymentUpdate

    found = client.read_deployment_by_name(deployment)
    changes = {name: value for name, value in values.items() if name not in OF_SCHEDULES}
    given = {name: values[name] for name in OF_SCHEDULES if name in values}
    if given:
        changes["schedules"] = _schedules(deployment, found.schedules, given, start)
    client.update_deployment(found.id, DeploymentUpdate(**changes))


def _schedules(
    deployment: str, before: list[Any], given: Mapping[str, Any], start: datetime
) -> list[Any]:
    from prefect.client.schemas.actions import DeploymentScheduleUpdate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    old = [one.schedule for one in before]
    zones = {one.timezone for one in old}
    zone = given.get("timezone") or (zones.pop() if len(zones) == 1 else None) or "UTC"
    if "cron" in given and "interval" in given:
        raise SimulationError(f"{deployment!r} cannot have both a cron and an interval here")
    if "cron" in given:
        new: Any = CronSchedule(cron=given["cron"], timezone=zone)
    elif "interval" in given:
        anchors: list[Any] = [one.anchor_date for one in old if isinstance(one, IntervalSchedule)]
        new = IntervalSchedule(
            interval=given["interval"], timezone=zone, anchor_date=(anchors or [start])[0]
        )
    elif not before:
        raise SimulationError(f"{deployment!r} has no schedule that could be in a time zone")
    else:
        return [
            DeploymentScheduleUpdate(
                schedule=one.schedule.model_copy(update={"timezone": zone}),
                active=one.active,
                parameters=one.parameters,
                slug=one.slug,
            )
            for one in before
        ]
    return [DeploymentScheduleUpdate(schedule=new, active=True)]
