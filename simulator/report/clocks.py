"""When the zones of schedules change their clocks, within the time that histories take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.history import History

STEP = timedelta(hours=12)
"""No zone changes its clocks twice within that time."""


@dataclass(frozen=True)
class ClockChange:
    """A zone changes its clocks at an instant (UTC), from one time of day to another ("02:00")."""

    at: datetime
    zone: str
    before: str
    after: str


def clock_changes(histories: Sequence[History]) -> list[ClockChange]:
    """The changes of all zones that schedules of these histories name, oldest first, from the first
    thing that happened in any of them to the end of the last.
    """
    zones = {zone for one in histories for gate in one.gates for zone in gate.zones}
    begin = min(
        (state.timestamp for one in histories for run in one.runs() for state in run.states),
        default=None,
    )
    if begin is None:
        return []
    end = max(one.now for one in histories)
    found = [change for zone in _known(zones) for change in _changes(zone, begin, end)]
    return sorted(found, key=lambda one: (one.at, one.zone))


def _known(zones: Iterable[str]) -> Iterator[ZoneInfo]:
    for zone in zones:
        try:
            yield ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            continue  # such as "+02:00", whose clocks never change


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[ClockChange]:
    while begin < end:
        after = min(begin + STEP, end)
        if _offset(begin, zone) != _offset(after, zone):
            at = _first_with(_offset(after, zone), zone, begin, after)
            before = at - timedelta(seconds=1)
            yield ClockChange(
                at,
                zone.key,
                f"{at + _offset(before, zone):%H:%M}",
                f"{at + _offset(at, zone):%H:%M}",
            )
        begin = after


def _first_with(offset: timedelta, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first whole second at which a zone is so far from UTC: by `after`, and not yet `before`."""
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)
