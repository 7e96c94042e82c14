"""The schedules of a project, found in its files or its scripts, and how they are shown."""

from __future__ import annotations

import json
from calendar import Calendar
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulator.faults import Duration
from simulator.project.causes import said_of
from simulator.project.declared import Declared, declared, file_of, flow_name, project_file
from simulator.project.loading import NO_ENTRYPOINT, Unloaded, base_of, hinted
from simulator.project.opening import load, opened
from simulator.project.schedules import Due, due, meetings, overlaps

HEADINGS = ("deployment", "schedule", "time zone", "runs", "first", "last", "clocks change")

MEETING = 3
"""So many runs that are due at one instant are told."""


def schedules_of(
    folder: Path, start: datetime, days: int, prefect_file: str | None = None
) -> tuple[list[Due], list[Unloaded]]:
    """The schedules of a project, or of the prefect.yaml that is named, from its folder on, in the order
    of their deployments, and the deployments of which one is none. No flow runs, and if there is a
    prefect.yaml none is even imported.

    Raises SimulationError, with file and line, for what is no project.
    """
    file, end = project_file(folder, prefect_file), start + timedelta(days=days)
    found = list(_written(folder, file, start, end) if file else _deployed(folder, start, end))
    return (
        [one for one in found if isinstance(one, Due)],
        [one for one in found if isinstance(one, Unloaded)],
    )


def _written(folder: Path, file: Path, start: datetime, end: datetime) -> Iterator[Due | Unloaded]:
    from simulator.patches.prefect import projects

    for one in declared(file, folder):
        if not one.entrypoint:
            yield Unloaded(one.name, one.where, NO_ENTRYPOINT)
            continue
        try:
            made = projects.schedules(one.config)
        except (ValueError, TypeError) as wrong:
            yield Unloaded(one.name, one.where, said_of(wrong))
            continue
        base = base_of(one, folder)
        yield from _not_here(one, base, folder) if made else ()
        name = f"{flow_name(one.entrypoint, base)}/{one.name}"
        entries = one.config.get("schedules") or ([one.config["schedule"]] if made else [])
        for entry, each in zip(entries, made, strict=True):
            yield due(
                name,
                one.where,
                each["schedule"],
                active=each.get("active") is not False and not one.config.get("paused"),
                start=start,
                end=end,
                anchored=bool(entry.get("anchor_date")),
            )


def _not_here(one: Declared, base: Path, folder: Path) -> Iterator[Unloaded]:
    """A deployment whose file counts from a folder above that of the project: no run would find it."""
    path, _ = file_of(one.entrypoint)
    if not (base / path).is_file():
        found = Unloaded(one.name, one.where, f"no file {path!r}", (), one.entrypoint)
        yield from (told for told in [hinted(found, folder.absolute())] if told != found)


def _deployed(folder: Path, start: datetime, end: datetime) -> Iterator[Due | Unloaded]:
    with opened(folder, start=start.isoformat()) as sim:
        load(sim)
        found = [(one, sim.schedules(one.name)) for one in sim.loaded]
    yield from (hinted(one, folder.absolute()) for one in sim.unloaded)
    for one, schedules in found:
        for schedule, active in schedules:
            yield due(one.name, one.where, schedule, active=active, start=start, end=end)


def cells(one: Due, zone: ZoneInfo) -> tuple[str, ...]:
    """A schedule for reading, as `HEADINGS` say; instants in a time zone."""
    told = [change for change in one.changes if change.kind != "kept"]
    first, last = (one.dates[0], one.dates[-1]) if one.dates else (None, None)
    return (
        one.deployment,
        one.schedule if one.active else f"{one.schedule} (not active)",
        one.timezone,
        str(len(one.dates)),
        _instant(first, zone),
        _instant(last, zone),
        "\n".join(f"{change.day} {change.kind}" for change in told) or "-",
    )


def sections_of(
    schedules: list[Due], zone: ZoneInfo, durations: Mapping[str, Duration], seed: int
) -> Iterator[tuple[str, list[str]]]:
    """What is told below the table: a title, and its lines."""
    changes = [
        f"{change.day:%a %Y-%m-%d} {one.timezone}: {one.deployment} is {change.kind}: {change.text}"
        for one in schedules
        for change in one.changes
        if change.kind != "kept"
    ]
    if changes:
        yield "Days on which clocks change", changes
    met = [
        f"{_instant(first, zone)}, {times} times: {len(names)} runs at once: {', '.join(names)}"
        for first, names, times in meetings(schedules, MEETING)[:10]
    ]
    if met:
        yield "Instants at which many are due", met
    over = [
        f"{one.deployment}: {one.overlapping} of {one.runs} runs begin while another one goes on, the"
        f" first at {_instant(one.first, zone)}; {one.most} at once at the most"
        for one in overlaps(schedules, durations, seed)
    ]
    if over:
        yield "Runs that overlap, if they take as long as simulation.toml says", over
    notes = [f"{one.deployment} ({one.where}): {one.note}" for one in schedules if one.note]
    if notes:
        yield "What a redeployment would change", notes


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def months_of(
    schedules: Iterable[Due], zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """A calendar: for each month, such as "2026-03", its weeks from Monday on, with the number of runs
    that are due on each day in a time zone. A "*" is at days on which the clocks of a schedule change.
    """
    active = [one for one in schedules if one.active]
    runs = Counter(instant.astimezone(zone).date() for one in active for instant in one.dates)
    changed = {change.day for one in active for change in one.changes}
    first, last = (
        start.astimezone(zone).date(),
        (end - timedelta(microseconds=1)).astimezone(zone).date(),
    )
    month = first.replace(day=1)
    while month <= last:
        weeks = [
            tuple(
                f"{day.day}{'*' * (day in changed)}: {runs[day] or '-'}"
                if day.month == month.month and first <= day <= last
                else ""
                for day in week
            )
            for week in Calendar().monthdatescalendar(month.year, month.month)
        ]
        yield f"{month:%Y-%m}", [week for week in weeks if any(week)]
        month = (month + timedelta(days=31)).replace(day=1)


def schedules_as_json(schedules: Iterable[Due]) -> str:
    """Everything that is known of the schedules; instants in UTC."""
    told: list[dict[str, Any]] = [
        {
            "deployment": one.deployment,
            "where": one.where,
            "schedule": one.schedule,
            "timezone": one.timezone,
            "active": one.active,
            "note": one.note,
            "dates": [instant.isoformat() for instant in one.dates],
            "changes": [
                {"day": str(change.day), "kind": change.kind, "text": change.text}
                for change in one.changes
            ],
        }
        for one in schedules
    ]
    return json.dumps(told, indent=2)


def as_icalendar(schedules: Iterable[Due], stamp: datetime) -> str:
    """A calendar (RFC 5545) with an event for each run. `stamp`: when it was made."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//prefect-simulator//schedule//EN"]
    for number, one in enumerate(schedules):
        for instant in one.dates if one.active else ():
            lines += [
                "BEGIN:VEVENT",
                f"UID:{number}-{instant:%Y%m%dT%H%M%SZ}@prefect-simulator",
                f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}",
                f"DTSTART:{instant:%Y%m%dT%H%M%SZ}",
                f"SUMMARY:{_escaped(one.deployment)}",
                f"DESCRIPTION:{_escaped(f'{one.schedule} {one.timezone}')}",
                "END:VEVENT",
            ]
    return "".join(f"{part}\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line))


def _escaped(text: str) -> str:
    for one in ("\\", ";", ","):
        text = text.replace(one, f"\\{one}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """A line in pieces of at most 75 octets, of which all but the first begin with a space."""
    piece = ""
    for one in line:
        if len((piece + one).encode()) > 75:
            yield piece
            piece = " "
        piece += one
    yield piece


def _instant(instant: datetime | None, zone: ZoneInfo) -> str:
    if instant is None:
        return "-"
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}{'Z' * (zone.key == 'UTC')}"
