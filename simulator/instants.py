"""Instants as counts of microseconds, and the machine's own clock."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from datetime import UTC, datetime, timedelta

from simulator.cfunctions import own

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Real:
    """The machine's own clock, whatever becomes of Python's functions."""

    sleep = own("sleep")
    monotonic = own("monotonic")
    perf_counter = own("perf_counter")
    time = own("time")


def to_micros(instant: datetime) -> int:
    """Microseconds from the epoch to an aware `instant`."""
    # Prefect's own are pendulum's, whose differences are of another kind.
    since: timedelta = datetime.__sub__(instant, EPOCH)
    return since // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The aware UTC instant `micros` microseconds after the epoch."""
    return EPOCH + timedelta(microseconds=micros)


class Timeline:
    """The instants of a clock so far, and what its reads showed at each. In microseconds.

    Each read shows more than the one before, and whoever sleeps takes the reads before it along: a
    loop of many sleeps shows a little more each time. What has happened is told by instants.
    """

    def __init__(self, start: int) -> None:
        self._instants = array("q", [start])
        self._first = array("q", [start])
        self._last = array("q", [start])

    def read_up_to(self, shown: int) -> None:
        """The last instant has shown up to `shown`."""
        self._last[-1] = shown

    def jump(self, before: int, instant: int, shown: int) -> None:
        """The last instant has shown up to `before`. `instant` shows `shown` and more."""
        self._last[-1] = before
        self._instants.append(instant)
        self._first.append(shown)
        self._last.append(shown)

    def first(self, place: int) -> int:
        """What was shown first at an instant, counted from 0 for the start."""
        return self._first[place]

    def instant_of(self, shown: int) -> int:
        """The instant that has shown `shown`; `shown` itself if none has."""
        place = bisect_right(self._first, shown) - 1
        return self._instants[place] if place >= 0 and shown <= self._last[place] else shown
