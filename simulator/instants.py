"""Instants as counts of microseconds, and the machine's own clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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
