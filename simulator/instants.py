"""Instants as counts of microseconds, and the machine's own clock."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

READS = 100_000
"""By how many reads the time that is shown may be ahead of the instant. In microseconds."""

# freezegun replaces these names wherever it finds them bound in a module: an attribute is safe.


class Real:
    """The machine's own clock, out of freezegun's reach."""

    sleep = staticmethod(time.sleep)
    monotonic = staticmethod(time.monotonic)
    perf_counter = staticmethod(time.perf_counter)
    time = staticmethod(time.time)


def to_micros(instant: datetime) -> int:
    """Microseconds from the epoch to an aware `instant`."""
    # Prefect's own are pendulum's, whose differences are of another kind.
    since: timedelta = datetime.__sub__(instant, EPOCH)
    return since // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The aware UTC instant `micros` microseconds after the epoch."""
    return EPOCH + timedelta(microseconds=micros)


def latest(instants: Sequence[int], micros: int, within: int) -> int:
    """The latest of ascending `instants` that lies no more than `within` before `micros`, or
    `micros` itself.
    """
    place = bisect_right(instants, micros) - 1
    return instants[place] if place >= 0 and micros - instants[place] <= within else micros
