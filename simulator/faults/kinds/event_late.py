"""An event is late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.durations import Duration, draw
from simulator.faults.events import EventFault, Fate


@dataclass(frozen=True, kw_only=True)
class EventLate(EventFault):
    """An event arrives `by` later than it would: a timedelta, or `lognormal(...)`, with which events
    come out of order. It says when it occurred all the same.
    """

    kind: ClassVar[str] = "event late"

    by: Duration = timedelta(minutes=1)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"by": arguments.duration}

    def fate(self, dice: Random) -> Fate:
        return Fate(seconds=draw(self.by, 0, dice).total_seconds())

    def does(self) -> str:
        return f"lets events {self.target} arrive later by {self.by}"
