"""Makes deployments, work pools and work queues through Prefect's own client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.deployments.runner import DeploymentApplyError
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Scheduled
from prefect.types.entrypoint import EntrypointType

from simulator import arguments
from simulator.errors import SimulationError
from simulator.patches.prefect.loading import missing_of

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.workers.base import BaseWorker


def deploy(
    flow: Flow[..., Any],
    name: str,
    *,
    timezone: str | None,
    cron: Any,
    interval: Any,
    rrule: Any,
    schedule: Any,
    schedules: Any,
    concurrency_limit: Any,
    **options: Any,
) -> UUID:
    """Create or update the deployment `name` of `flow`. Returns its id.

    Raises SimulationError, in one line, for what Prefect refuses.
    """
    try:
        given = (cron, interval, rrule, schedules, schedule)
        if sum(one is not None for one in given) == 1:  # Prefect says what is wrong with more
            made = _schedules(timezone or "UTC", cron, interval, rrule)
            if made and (timezone is not None or interval is not None):
                cron, interval, rrule, schedules = None, None, None, made
        if isinstance(schedule, Mapping) and schedules is None:
            schedule, schedules = None, [schedule]
        if isinstance(concurrency_limit, Mapping):
            concurrency_limit = ConcurrencyLimitConfig.model_validate(concurrency_limit)
        if (missing := missing_of(flow)) is not None:
            raise ValueError(f"its file was not loaded as a whole: {missing}")
        options.setdefault("entrypoint_type", _entrypoint_of(flow))
        to_deployment: Any = flow.to_deployment
        deployment: Any = to_deployment(
            name,
            cron=cron,
            interval=interval,
            rrule=rrule,
            schedule=schedule,
            schedules=None if schedules is None else [_of_yaml(one) for one in schedules],
            concurrency_limit=concurrency_limit,
            _sync=True,  # also where a loop is running
            **options,
        )
        deployed: UUID = deployment.apply(_sync=True)
        return deployed
    except ValueError as error:
        raise SimulationError(
            f"deployment {flow.name + '/' + str(name)!r}: {_one_line(error)}"
        ) from None
    except DeploymentApplyError as error:
        raise SimulationError(
            f"deployment {flow.name + '/' + str(name)!r}: {refusal(error.__cause__ or error)}"
        ) from None


def _entrypoint_of(flow: Flow[..., Any]) -> EntrypointType:
    """How a deployment says where its flow is. One that is in no file runs all the same: it is here."""
    module = sys.modules.get(flow.__module__)
    in_a_file = getattr(module, "__file__", None) is not None
    return EntrypointType.FILE_PATH if in_a_file else EntrypointType.MODULE_PATH


def refusal(error: BaseException) -> str:
    """Why the server refused a request, in one line."""
    reason = str(error)
    if isinstance(error, PrefectHTTPStatusError):
        answer = error.response.json()
        details = answer.get("exception_detail") or [{"msg": answer.get("detail", reason)}]
        reason = "; ".join(str(detail["msg"]) for detail in details)
    return " ".join(reason.split())


def _schedules(timezone: str, cron: Any, interval: Any, rrule: Any) -> list[Any]:
    """What Prefect makes of these, in a time zone, and with intervals counted from a full second."""
    crons = [CronSchedule(cron=one, timezone=timezone) for one in _each(cron)]
    anchor = datetime.now(UTC).replace(microsecond=0)
    intervals = [
        IntervalSchedule(interval=one, timezone=timezone, anchor_date=anchor)
        for one in _each(interval)
    ]
    rrules = [RRuleSchedule(rrule=one, timezone=timezone) for one in _each(rrule)]
    return [*crons, *intervals, *rrules]


def _of_yaml(entry: Any) -> Any:
    """What Prefect makes of an entry of `schedules:` in a prefect.yaml. Any other stays as it is."""
    if not isinstance(entry, Mapping) or "schedule" in entry:
        return entry
    unknown = [name for name in entry if name not in (*_KINDS, *_OF_KIND, *_OF_ENTRY)]
    if unknown:
        raise arguments.unknown("word of a schedule", unknown[0], [*_KINDS, *_OF_KIND, *_OF_ENTRY])
    kinds = [name for name in _KINDS if entry.get(name) is not None]
    if len(kinds) != 1:
        raise ValueError(f"a schedule has one of cron, interval and rrule, not {dict(entry)!r}")
    (kind,) = kinds
    words = {name: entry[name] for name in (kind, *_OF_KIND) if entry.get(name) is not None}
    if kind == "interval":
        words.setdefault("anchor_date", datetime.now(UTC).replace(microsecond=0))
    model = _KINDS[kind]
    foreign = [name for name in words if name not in model.model_fields]
    if foreign:
        raise ValueError(f"{foreign[0]}={words[foreign[0]]!r} does not go with {kind}")
    rest = {name: entry[name] for name in _OF_ENTRY if entry.get(name) is not None}
    return DeploymentScheduleCreate(schedule=model.model_validate(words), **rest)


_KINDS: dict[str, Any] = {
    "cron": CronSchedule,
    "interval": IntervalSchedule,
    "rrule": RRuleSchedule,
}
_OF_KIND = ("timezone", "day_or", "anchor_date")
_OF_ENTRY = ("active", "parameters", "slug", "replaces", "max_scheduled_runs")


def _each(given: Any) -> list[Any]:
    if given is None:
        return []
    return [given] if isinstance(given, str | int | float | timedelta) else list(given)


def _one_line(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return " ".join(str(error).split())
    said: dict[str, str] = {}
    for one in errors():  # of a union there is one for each kind that it could have been
        name, given = "".join(map(str, one["loc"][:1])), arguments.shown(one["input"])
        said.setdefault(name, f"{name}={given}: {one['msg']}" if name else one["msg"])
    return " ".join("; ".join(said.values()).split())


def ensure_pool(
    client: SyncPrefectClient,
    name: str,
    worker: type[BaseWorker[Any, Any, Any]],
    concurrency_limit: int | None,
) -> None:
    """Make the work pool `name` for workers of a class, or set the limit of one that is there.

    `concurrency_limit`: None leaves it as it is.
    """
    _checked_limit(concurrency_limit)
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        pool = WorkPoolCreate(
            name=name,
            type=worker.type,
            base_job_template=worker.get_default_base_job_template(),
            concurrency_limit=concurrency_limit,
        )
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            pass  # by another simulation on the same live server, just now
    else:
        if concurrency_limit is not None:
            client.update_work_pool(name, WorkPoolUpdate(concurrency_limit=concurrency_limit))


def order(
    client: SyncPrefectClient,
    deployment: str,
    parameters: dict[str, Any] | None,
    when: datetime,
    known: Callable[[], Iterable[str]],
    flows: Mapping[UUID, Flow[..., Any]],
) -> UUID:
    """Order a run of the deployment "flow/deployment", one of the `known`, and return its id.

    Raises SimulationError if it is unknown, or if the parameters do not fit.
    """
    try:
        found = client.read_deployment_by_name(deployment)
    except (ObjectNotFound, ValueError):
        raise arguments.unknown("deployment", deployment, known()) from None
    if found.id in flows and found.enforce_parameter_schema:
        flow = flows[found.id]
        arguments.check_parameters_of(flow, parameters or ())
    try:
        run = client.create_flow_run_from_deployment(
            found.id, parameters=parameters, state=Scheduled(scheduled_time=when)
        )
    except PrefectHTTPStatusError as error:
        raise SimulationError(f"run of {deployment!r}: {refusal(error)}") from None
    return run.id


def ensure_queue(
    client: SyncPrefectClient,
    pool: str,
    name: str,
    concurrency_limit: int | None = None,
    priority: int | None = None,
) -> None:
    """Make the queue `name` of `pool`, or change the limit and priority of one that is there."""
    _checked_limit(concurrency_limit)
    try:
        queue = client.read_work_queue_by_name(name, work_pool_name=pool)
    except ObjectNotFound:
        queue = client.create_work_queue(name, work_pool_name=pool)
    changes = {
        key: value
        for key, value in (("concurrency_limit", concurrency_limit), ("priority", priority))
        if value is not None
    }
    if changes:
        client.update_work_queue(queue.id, **changes)


def _checked_limit(concurrency_limit: int | None) -> None:
    if concurrency_limit is not None and concurrency_limit < 0:
        raise SimulationError(f"concurrency_limit={concurrency_limit} must be 0 or more")
