"""Prefect's background services, called at the virtual instants at which their loops would fire.

The functions are Prefect's own. A real server runs each in a loop of its own period; here each is an
event source on that grid, and instants at which it cannot have anything to do are left out. Whether
it can is read from the database, and only after something has been written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.server.concurrency.lease_storage import get_concurrency_lease_storage
from prefect.server.events import triggers
from prefect.server.services.late_runs import monitor_late_runs
from prefect.server.services.pause_expirations import monitor_expired_pauses
from prefect.server.services.repossessor import monitor_expired_leases
from prefect.server.services.scheduler import schedule_deployments, schedule_recent_deployments
from prefect.types._datetime import now

from simulator.clock import VirtualClock, to_micros
from simulator.server import Docket, Server

Due = Callable[[], datetime | None]


@dataclass
class Service:
    """One periodic service of the server, as an event source.

    `due` tells the earliest instant at which it can have something to do, if any; it may lie in the
    past. The service then runs at the next point of its grid: `period` seconds apart, from the
    start of the simulation.
    """

    name: str
    period: timedelta
    function: Callable[..., Awaitable[Any]]
    due: Due
    server: Server
    clock: VirtualClock
    origin: int
    _asked: int = -1
    _next: int | None = None
    _last: int = field(default=-1)

    def next_instant(self) -> int | None:
        if self._asked != self.server.changes:
            self._asked = self.server.changes
            self._next = self._on_grid(self.due())
        return self._next

    def _on_grid(self, due: datetime | None) -> int | None:
        if due is None:
            return None
        period = self.period // timedelta(microseconds=1)
        earliest = max(to_micros(due), self._last + 1, self.origin)
        return self.origin + -(-(earliest - self.origin) // period) * period

    def fire(self) -> None:
        self._last = to_micros(self.clock.now)
        docket = Docket(self.server)

        async def run() -> None:
            async with self.server.turn():
                await docket.run(self.function)

        self.server.call(self.name, run)


def services(
    server: Server, clock: VirtualClock, database: sqlite3.Connection
) -> list[Service]:
    """The services that decide when runs are scheduled, late, failed or freed, in firing order."""
    schedules = _Schedules(database, clock)

    def late() -> datetime | None:
        first = _first(
            database,
            "select min(next_scheduled_start_time) from flow_run"
            " where state_type = 'SCHEDULED' and state_name = 'Scheduled'",
        )
        return None if first is None else first + timedelta(seconds=15)

    def paused() -> datetime | None:
        return _first(
            database,
            "select min(json_extract(s.state_details, '$.pause_timeout')) from flow_run f"
            " join flow_run_state s on s.id = f.state_id where f.state_type = 'PAUSED'",
        )

    def leased() -> datetime | None:
        storage: Any = get_concurrency_lease_storage()
        return min(storage.expirations.values(), default=None)

    def proactive() -> datetime | None:
        waiting = any(
            getattr(trigger, "posture", None) == triggers.Posture.Proactive
            for automation in triggers.automations_by_id.values()
            for trigger in automation.triggers()
        )
        return clock.now if waiting else None

    async def evaluate() -> None:
        await triggers.periodic_evaluation(now("UTC"))

    def service(
        name: str, seconds: int, function: Callable[..., Awaitable[Any]], due: Due
    ) -> Service:
        return Service(
            name, timedelta(seconds=seconds), function, due, server, clock, to_micros(clock.now)
        )

    return [
        service("scheduler", 60, schedule_deployments, schedules.due),
        service("recent deployments", 5, schedule_recent_deployments, schedules.due_recently),
        service("late runs", 5, monitor_late_runs, late),
        service("pause expirations", 5, monitor_expired_pauses, paused),
        service("expired leases", 15, monitor_expired_leases, leased),
        service("proactive triggers", 5, evaluate, proactive),
    ]


class _Schedules:
    """When a deployment's schedule needs more runs: fewer than three ahead, or less than an hour.

    The scheduler's own query, `_get_select_deployments_to_schedule_query`, asks the same. A schedule
    that got nothing from the scheduler (it has ended, or its next run is beyond the horizon of 100
    days) is asked again a day later.
    """

    def __init__(self, database: sqlite3.Connection, clock: VirtualClock) -> None:
        self._database = database
        self._clock = clock
        self._seen: dict[str, tuple[tuple[Any, ...], datetime]] = {}

    def due(self) -> datetime | None:
        return min((when for when, _ in self._needs()), default=None)

    def due_recently(self) -> datetime | None:
        """As `due`, for deployments updated within the six seconds before."""
        recent = [
            max(when, updated)
            for when, updated in self._needs()
            if when <= updated + timedelta(seconds=6)
            and self._clock.now <= updated + timedelta(seconds=6)
        ]
        return min(recent, default=None)

    def _needs(self) -> list[tuple[datetime, datetime]]:
        now = self._clock.now
        needs = []
        for schedule, updated, schedule_updated, count, last, third in self._database.execute(
            _SCHEDULES, {"now": f"{now:%Y-%m-%d %H:%M:%S.%f}"}
        ):
            when = now
            if count >= 3:
                when = min(_instant(third), _instant(last) - timedelta(hours=1))
                when = max(when + timedelta(microseconds=1), now)
            signature = (schedule_updated, count, last)
            before = self._seen.get(schedule)
            if before is None or before[0] != signature:
                self._seen[schedule] = (signature, now)
            elif when <= now and now - before[1] > timedelta(minutes=2):
                when = before[1] + timedelta(days=1)
            needs.append((when, _instant(updated)))
        return needs


_SCHEDULES = """
select schedule.id, deployment.updated, schedule.updated, count(ahead.at), max(ahead.at),
       (select at from ahead third where third.schedule = schedule.id
        order by at desc limit 1 offset 2)
from deployment_schedule schedule
join deployment on deployment.id = schedule.deployment_id
left join ahead on ahead.schedule = schedule.id
where schedule.active and not coalesce(deployment.paused, false)
group by schedule.id
"""
_SCHEDULES = (
    """
with ahead as (
    select json_extract(created_by, '$.id') schedule, next_scheduled_start_time at
    from flow_run
    where state_type = 'SCHEDULED' and auto_scheduled and next_scheduled_start_time >= :now
)"""
    + _SCHEDULES
)


def _first(database: sqlite3.Connection, query: str) -> datetime | None:
    (value,) = database.execute(query).fetchone()
    return None if value is None else _instant(value)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
