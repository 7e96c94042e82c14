"""When each deployment of a project would run: only dates, as Prefect's own schedules give them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

PAGE = 500
"""So many dates are asked for at once: Prefect looks at a thousand candidates at most."""

FEW = 12
"""Up to so many runs a day are told by their times, and more by their number."""


@dataclass(frozen=True)
class Change:
    """A day on which the clocks of a zone change, and what becomes of a schedule's runs on it: they are
    "skipped", "doubled", "moved", or come as always ("kept"). `text` says it, in local times.
    """

    day: date
    kind: str
    text: str


@dataclass(frozen=True)
class Due:
    """One schedule of a deployment, and its `dates` (aware UTC) in a span of time.

    `schedule` is how it is written, `timezone` its zone, `active` whether it makes runs; `note` says
    what a redeployment would change, or nothing.
    """

    deployment: str
    where: str
    schedule: str
    timezone: str
    active: bool
    dates: tuple[datetime, ...]
    changes: tuple[Change, ...] = ()
    note: str = ""


def due(
    deployment: str,
    where: str,
    schedule: Any,
    *,
    active: bool,
    start: datetime,
    end: datetime,
    anchored: bool = True,
) -> Due:
    """The dates of a schedule of Prefect's client from `start` up to `end`, both aware.

    `anchored`: whether an interval says where it is counted from; else it is from `start`, at which the
    deployment is made.
    """
    interval = getattr(schedule, "interval", None)
    if interval is not None and not anchored:
        schedule = schedule.model_copy(update={"anchor_date": start})
    zone = ZoneInfo(getattr(schedule, "timezone", None) or "UTC")
    of_server = _of_server(schedule)
    return Due(
        deployment=deployment,
        where=where,
        schedule=_written(schedule),
        timezone=zone.key,
        active=active,
        dates=tuple(dates(of_server, start, end)),
        changes=tuple(_changes(of_server, zone, start, end)),
        note=""
        if interval is None or anchored
        else "counted from the day of deploying: each redeployment moves its runs, as there is no"
        " anchor_date",
    )


def dates(schedule: Any, start: datetime, end: datetime) -> Iterator[datetime]:
    """The dates of a schedule of Prefect's server, in UTC: `start` belongs to them, `end` does not."""
    after = start
    while True:
        page = asyncio.run(schedule.get_dates(PAGE, after, end))
        found = [one for one in sorted(_utc(each) for each in page) if after <= one < end]
        yield from found
        if not found:
            return
        after = found[-1] + timedelta(microseconds=1)


def meetings(
    schedules: Iterable[Due], at_least: int
) -> list[tuple[datetime, tuple[str, ...], int]]:
    """Instants for which so many runs are due: for each set of deployments that meet, the first such
    instant and how many there are. Most runs first.
    """
    together: dict[datetime, list[str]] = defaultdict(list)
    for one in schedules:
        for instant in one.dates if one.active else ():
            together[instant].append(one.deployment)
    sets: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
    for instant, names in together.items():
        if len(names) >= at_least:
            sets[tuple(sorted(names))].append(instant)
    found = [(min(instants), names, len(instants)) for names, instants in sets.items()]
    return sorted(found, key=lambda one: (-len(one[1]), -one[2], one[0]))


def _of_server(schedule: Any) -> Any:
    from prefect.server.schemas import schedules as of_server

    return getattr(of_server, type(schedule).__name__)(**schedule.model_dump())


def _written(schedule: Any) -> str:
    if (interval := getattr(schedule, "interval", None)) is not None:
        return f"every {_span(interval)}"
    if (cron := getattr(schedule, "cron", None)) is not None:
        return str(cron) if schedule.day_or else f"{cron} (day_or: false)"
    return str(getattr(schedule, "rrule", ""))


def _span(time: timedelta) -> str:
    """A span of time to the last second of it: "5m", "1h 30m"."""
    seconds = int(time.total_seconds())
    parts = {
        "d": seconds // 86400,
        "h": seconds // 3600 % 24,
        "m": seconds // 60 % 60,
        "s": seconds % 60,
    }
    return " ".join(f"{number}{unit}" for unit, number in parts.items() if number) or str(time)


def _utc(instant: Any) -> datetime:
    return datetime.fromtimestamp(instant.timestamp(), UTC)


def _changes(schedule: Any, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Change]:
    day = start.astimezone(zone).date()
    while _midnight(day, zone) < end:
        if _offset(day, zone) != _offset(day + timedelta(days=1), zone):
            yield _change(schedule, zone, day)
        day += timedelta(days=1)


def _change(schedule: Any, zone: ZoneInfo, day: date) -> Change:
    """What becomes of a day's runs, beside those of the same weekday a week before."""
    before, on_it = (_of_day(schedule, zone, one) for one in (day - timedelta(days=7), day))
    usual, then = (
        Counter(f"{one.astimezone(zone):%H:%M}" for one in runs) for runs in (before, on_it)
    )
    missing, more = list((usual - then).elements()), list((then - usual).elements())
    many = max(usual.total(), then.total()) > FEW
    if not missing and not more:
        longest = _longest_gap(on_it)
        if many and longest > _longest_gap(before):
            usually = _span(_longest_gap(before))
            text = f"no run for {_span(longest)}, otherwise for {usually} at most"
            return Change(day, "skipped", text)
        return Change(day, "kept", "as on other days")
    if len(missing) == len(more):
        kind, text = "moved", f"{_listed(missing)} becomes {_listed(more)}"
    elif len(missing) > len(more):
        kind, text = "skipped", f"no run at {_listed(missing)}"
    else:
        kind, text = "doubled", f"one run more at {_listed(more)}"
    if many and kind != "moved":
        text = f"{then.total()} runs in place of {usual.total()}"
    return Change(day, kind, text)


def _of_day(schedule: Any, zone: ZoneInfo, day: date) -> list[datetime]:
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    return list(dates(schedule, start, end))


def _longest_gap(runs: list[datetime]) -> timedelta:
    return max((b - a for a, b in pairwise(runs)), default=timedelta(0))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(), zone).utcoffset()


def _listed(times: list[str]) -> str:
    return ", ".join(times[:FEW]) + (", ..." if len(times) > FEW else "")
