"""When each deployment of a project would run: only dates, as Prefect's own schedules give them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from simulator.faults import Duration, draw

PAGE = 500
"""So many dates are asked for at once: Prefect looks at a thousand candidates at most."""

A_DAY, A_WEEK = timedelta(days=1), timedelta(days=7)

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
    fields = (getattr(schedule, "cron", None) or "").split()
    interval = getattr(schedule, "interval", None)
    if len(fields) == 5 and end - start > A_WEEK:
        yield from _day_by_day(schedule, fields, start, end)
    elif isinstance(interval, timedelta) and interval < A_DAY:
        yield from _second_by_second(schedule, interval, start, end)
    else:
        yield from _asked(schedule, start, end)


def _asked(schedule: Any, start: datetime, end: datetime) -> Iterator[datetime]:
    after = start
    while True:
        page = asyncio.run(schedule.get_dates(PAGE, after, end))
        found = [one for one in sorted(_utc(each) for each in page) if after <= one < end]
        yield from found
        if not found:
            return
        after = found[-1] + timedelta(microseconds=1)


def _day_by_day(
    schedule: Any, fields: list[str], start: datetime, end: datetime
) -> Iterator[datetime]:
    """The same for a cron schedule, a hundred times as fast if it has many runs a day: which days it
    takes and which times of a day are fields of their own, so Prefect is asked for the days, and once
    for the times. Of days on which clocks change it is asked as it is.
    """
    minute, hour, *of_days = fields
    zone = ZoneInfo(schedule.timezone or "UTC")
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    changed = set(_days_of_change(zone, first, last))
    at_noon = schedule.model_copy(update={"cron": " ".join(("0 12", *of_days))})
    after_last = _midnight(last + timedelta(days=1), zone)
    taken = {
        one.astimezone(zone).date() for one in _asked(at_noon, _midnight(first, zone), after_last)
    }
    times: list[time] | None = None
    for day in sorted(taken | changed):
        if day in changed:
            found = _of_day(schedule, zone, day)
        else:
            if times is None:
                each_day = schedule.model_copy(update={"cron": f"{minute} {hour} * * *"})
                times = [one.astimezone(zone).time() for one in _of_day(each_day, zone, day)]
            found = [datetime.combine(day, one, zone).astimezone(UTC) for one in times]
        yield from (one for one in found if start <= one < end)


def _second_by_second(
    schedule: Any, interval: timedelta, start: datetime, end: datetime
) -> Iterator[datetime]:
    """The same for an interval of less than a day, of which Prefect adds up the seconds. On days on
    which clocks change it is asked as it is: an hour that comes twice has its runs once.
    """
    zone, since = ZoneInfo(schedule.timezone or "UTC"), start
    days = list(_days_of_change(zone, start.astimezone(zone).date(), end.astimezone(zone).date()))
    for begin, until in (
        *((_midnight(day, zone), _midnight(day + A_DAY, zone)) for day in days),
        (end, end),
    ):
        if (first := next(_asked(schedule, since, min(begin, end)), None)) is not None:
            number = -((first - min(begin, end)) // interval)
            yield from (first + interval * one for one in range(number))
        since = max(start, min(until, end))
        yield from _asked(schedule, max(start, begin), since)


@dataclass(frozen=True)
class Overlap:
    """A deployment of whose `runs` some, `overlapping`, begin while one before goes on: the `first` of
    these, and how many go on at the `most`.
    """

    deployment: str
    runs: int
    overlapping: int
    first: datetime
    most: int


def overlaps(
    schedules: Iterable[Due], durations: Mapping[str, Duration], seed: int
) -> list[Overlap]:
    """The deployments whose runs overlap if their flows take the `durations` that are given by name.

    What is drawn is drawn anew for each deployment. Limits hold nothing back here.
    """
    of_deployment: dict[str, set[datetime]] = defaultdict(set)
    for one in schedules:
        if one.active and one.deployment.partition("/")[0] in durations:
            of_deployment[one.deployment].update(one.dates)
    found = []
    for deployment, instants in of_deployment.items():
        source, duration = Random(seed), durations[deployment.partition("/")[0]]
        going_on: list[datetime] = []  # a heap of their ends
        meanwhile, most = [], 0
        for number, instant in enumerate(sorted(instants)):
            while going_on and going_on[0] <= instant:
                heappop(going_on)
            if going_on:
                meanwhile.append(instant)
            heappush(going_on, instant + draw(duration, number, source))
            most = max(most, len(going_on))
        if meanwhile:
            found.append(Overlap(deployment, len(instants), len(meanwhile), meanwhile[0], most))
    return found


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
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    for day in _days_of_change(zone, start.astimezone(zone).date(), last):
        yield _change(schedule, zone, day)


def _days_of_change(zone: ZoneInfo, first: date, last: date) -> Iterator[date]:
    """The days on which the clocks of a zone change."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if _offset(day, zone) != _offset(day + timedelta(days=1), zone):
            yield day


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
    return list(_asked(schedule, start, end))


def _longest_gap(runs: list[datetime]) -> timedelta:
    return max((b - a for a, b in pairwise(runs)), default=timedelta(0))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(), zone).utcoffset()


def _listed(times: list[str]) -> str:
    return ", ".join(times[:FEW]) + (", ..." if len(times) > FEW else "")
