"""Prefect's background services, called at the virtual instants at which their loops would fire.

The functions are Prefect's own. Left out are those that tidy up or tell how a server feels and change
no run: the foreman (whether workers and queues are healthy), the vacuum, the usage statistics.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.server.concurrency.lease_storage import get_concurrency_lease_storage
from prefect.server.events import triggers
from prefect.server.events.ordering import PRECEDING_EVENT_LOOKBACK, get_triggers_causal_ordering
from prefect.server.events.schemas.automations import Posture
from prefect.server.services.cancellation_cleanup import (
    ensure_cancelling_timeout_checks,
    monitor_cancelled_flow_runs,
    monitor_subflow_runs,
)
from prefect.server.services.late_runs import monitor_late_runs
from prefect.server.services.pause_expirations import monitor_expired_pauses
from prefect.server.services.repossessor import monitor_expired_leases
from prefect.server.services.scheduler import schedule_deployments, schedule_recent_deployments
from prefect.settings import get_current_settings

from simulator.clock import Candidate, GridLoop, GridLoops, VirtualClock
from simulator.instants import to_micros
from simulator.patches.prefect.client import prefect_now
from simulator.server.server import Docket, Server

DAY = timedelta(days=1)


def background_services(  # noqa: C901  one small function for each service
    server: Server,
    clock: VirtualClock,
    database: sqlite3.Connection,
    written: Callable[[], int],
) -> GridLoops:
    """The services that decide when runs are scheduled, late, failed, cancelled or freed, in firing
    order. They run with the periods and margins of the current settings, from now on.
    """
    settings = get_current_settings().server
    periods = settings.services
    schedules = _Schedules(database, clock)
    late_after = periods.late_runs.after_seconds

    def service(
        name: str,
        period: float | timedelta,
        function: Callable[..., Awaitable[Any]],
        candidates: Callable[[], Iterable[Candidate]],
        written: Callable[[], int] = written,
    ) -> GridLoop:
        if not isinstance(period, timedelta):
            period = timedelta(seconds=period)
        loop = GridLoop(name, period, clock, written, candidates, _calling(server, name, function))
        loop.begin(at_once=False)
        return loop

    def late() -> Iterator[Candidate]:
        for flow_run, state, start in database.execute(_SCHEDULED):
            yield to_micros(_instant(start) + late_after), (flow_run, state)

    def paused() -> Iterator[Candidate]:
        for flow_run, state, expires in database.execute(_PAUSED):
            yield to_micros(_instant(expires)) + 1, (flow_run, state)

    def leased() -> Iterator[Candidate]:
        storage: Any = get_concurrency_lease_storage()
        for lease, expires in storage.expirations.items():
            yield to_micros(expires) + 1, (lease, expires)

    def at_once(query: str) -> Callable[[], Iterator[Candidate]]:
        def candidates() -> Iterator[Candidate]:
            since = _sql(clock.now - DAY)
            for what in database.execute(query, {"since": since} if ":since" in query else {}):
                yield 0, what

        return candidates

    async def evaluate() -> None:
        await triggers.periodic_evaluation(prefect_now())

    async def evaluate_proactively() -> None:
        await triggers.evaluate_proactive_triggers()

    cancelling = periods.cancellation_cleanup.loop_seconds
    loops = [
        service("scheduler", periods.scheduler.loop_seconds, schedule_deployments, schedules.needs),
        service(
            "recent deployments",
            periods.scheduler.recent_deployments_loop_seconds,
            schedule_recent_deployments,
            schedules.needs_of_recent,
        ),
        service("late runs", periods.late_runs.loop_seconds, monitor_late_runs, late),
        service(
            "pause expirations",
            periods.pause_expirations.loop_seconds,
            monitor_expired_pauses,
            paused,
        ),
        # Leases live in the server's memory.
        service(
            "expired leases",
            periods.repossessor.loop_seconds,
            monitor_expired_leases,
            leased,
            lambda: server.changes,
        ),
        service(
            "tasks of cancelled runs", cancelling, monitor_cancelled_flow_runs, at_once(_TASKS)
        ),
        service("children of cancelled runs", cancelling, monitor_subflow_runs, at_once(_CHILDREN)),
        service(
            "cancellation time-outs", cancelling, ensure_cancelling_timeout_checks, at_once(_ENDING)
        ),
        service(
            "triggers", 5, evaluate, _old_buckets(database, settings.events.expired_bucket_buffer)
        ),
        # Events that came before the one that they follow are parked in the server's memory.
        service("lost followers", 5, evaluate, parked_events, lambda: server.changes),
        service(
            "proactive triggers",
            settings.events.proactive_granularity,
            evaluate_proactively,
            _waiting_triggers(database, clock),
        ),
    ]
    return GridLoops(clock, loops)


def _calling(
    server: Server, name: str, function: Callable[..., Awaitable[Any]]
) -> Callable[[], None]:
    docket = Docket(server)

    async def run() -> None:
        async with server.turn():
            await docket.run(function)

    return lambda: server.call(name, run)


# -- the scheduler ---------------------------------------------------------------------------------


class _Schedules:
    """When a deployment's schedule needs more runs: fewer than three ahead, or less than an hour.

    The scheduler's own query, `_get_select_deployments_to_schedule_query`, asks the same. A schedule
    that got nothing (it has ended, or its next run is more than 100 days away) is asked again on the
    next day.
    """

    def __init__(self, database: sqlite3.Connection, clock: VirtualClock) -> None:
        settings = get_current_settings().server.services.scheduler
        self._database = database
        self._clock = clock
        self._min_runs = settings.min_runs
        self._min_time = settings.min_scheduled_time
        # The scheduler looks a second further back than its period.
        self._recently = timedelta(seconds=settings.recent_deployments_loop_seconds + 1)

    def needs(self) -> Iterator[Candidate]:
        yield from self._needs(None)

    def needs_of_recent(self) -> Iterator[Candidate]:
        """As `needs`, for deployments updated within the last six seconds."""
        yield from self._needs(self._clock.now - self._recently)

    def _needs(self, updated_since: datetime | None) -> Iterator[Candidate]:
        now = to_micros(self._clock.now)
        day = DAY // timedelta(microseconds=1)
        parameters = {
            "now": _sql(self._clock.now),
            "runs": self._min_runs,
            "others": self._min_runs - 1,
            "since": _sql(updated_since) if updated_since else "",
        }
        for *inputs, count, last, nth in self._database.execute(_SCHEDULES, parameters):
            when = now
            if count >= self._min_runs:
                # One instant after the need has come up: "fewer than", "less than".
                when = min(to_micros(_instant(nth)), to_micros(_instant(last) - self._min_time)) + 1
            inputs += [count, last]
            yield when, (*inputs, max(when, now) // day)
            if when <= now and updated_since is None:
                tomorrow = now // day + 1
                yield tomorrow * day, (*inputs, tomorrow)


_AHEAD = """
    from flow_run run
    where run.deployment_id = schedule.deployment_id and run.state_type = 'SCHEDULED'
      and run.auto_scheduled = 1 and json_extract(run.created_by, '$.id') = schedule.id
      and run.next_scheduled_start_time >= :now
"""

_SCHEDULES = f"""
select schedule.id, deployment.updated, schedule.updated,
       (select count(*) from (select 1 {_AHEAD} limit :runs)),
       (select max(run.next_scheduled_start_time) {_AHEAD}),
       (select run.next_scheduled_start_time {_AHEAD}
        order by run.next_scheduled_start_time desc limit 1 offset :others)
from deployment_schedule schedule
join deployment on deployment.id = schedule.deployment_id
where schedule.active and not coalesce(deployment.paused, false) and deployment.updated >= :since
"""

# -- runs ------------------------------------------------------------------------------------------

# A few are enough: those that come first.
_SCHEDULED = """
select id, state_id, next_scheduled_start_time from flow_run
where state_type = 'SCHEDULED' and state_name = 'Scheduled'
  and next_scheduled_start_time is not null
order by next_scheduled_start_time limit 10
"""

_PAUSED = """
select run.id, state.id, json_extract(state.state_details, '$.pause_timeout') expires
from flow_run run join flow_run_state state on state.id = run.state_id
where run.state_type = 'PAUSED' and expires is not null
"""

_ENDED = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"

_TASKS = f"""
select task.id, task.state_id
from flow_run run join task_run task on task.flow_run_id = run.id
where run.state_type = 'CANCELLED' and run.end_time >= :since and task.state_type not in {_ENDED}
"""

_CHILDREN = """
select run.id, run.state_id
from flow_run run
join task_run stand_in on stand_in.id = run.parent_task_run_id
join flow_run parent on parent.id = stand_in.flow_run_id
where run.state_type in ('PENDING', 'SCHEDULED', 'RUNNING', 'PAUSED', 'CANCELLING')
  and parent.state_type = 'CANCELLED'
"""

_ENDING = "select id, state_id from flow_run where state_type = 'CANCELLING'"

# -- triggers --------------------------------------------------------------------------------------

# Triggers are evaluated as of the newest event, which lies a few readings of the clock back.
_MARGIN = timedelta(milliseconds=1)


def _old_buckets(
    database: sqlite3.Connection, kept: timedelta
) -> Callable[[], Iterator[Candidate]]:
    """When counts of events that automations have collected are thrown away."""

    def candidates() -> Iterator[Candidate]:
        for bucket, end in database.execute('select id, "end" from automation_bucket'):
            yield to_micros(_instant(end) + kept + _MARGIN), (bucket, end)

    return candidates


def parked_events() -> Iterator[Candidate]:
    """When events that wait for the one that they follow are evaluated without it."""
    ordering: Any = get_triggers_causal_ordering()
    for event, received in ordering._waitlist.items():  # noqa: SLF001
        yield to_micros(received + PRECEDING_EVENT_LOOKBACK), (event, received)


def _waiting_triggers(
    database: sqlite3.Connection, clock: VirtualClock
) -> Callable[[], Iterator[Candidate]]:
    """When a proactive trigger ("expect something within") has waited long enough.

    A trigger that waits `after` an event is not asked before there has been one.
    """

    def candidates() -> Iterator[Candidate]:
        waiting = [
            trigger
            for trigger in triggers.triggers.values()
            if trigger.posture == Posture.Proactive
        ]
        for trigger in waiting:
            if not trigger.after and not trigger.for_each:  # it is asked whenever Prefect says so
                due = triggers.next_proactive_runs.get(trigger.id, clock.now)
                yield to_micros(due), (trigger.id, max(due, clock.now))  # again until it has moved
                continue
            rows = database.execute(
                'select "end" from automation_bucket where trigger_id = ?', [str(trigger.id)]
            )
            ends = [_instant(end) for (end,) in rows]
            if ends:
                yield to_micros(min(ends) + _MARGIN), (trigger.id, min(ends))

    return candidates


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _sql(instant: datetime) -> str:
    """As Prefect writes an instant in SQLite."""
    return f"{instant:%Y-%m-%d %H:%M:%S.%f}"
