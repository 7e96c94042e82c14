"""An event comes twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.events import EventFault, Fate


@dataclass(frozen=True, kw_only=True)
class EventTwice(EventFault):
    """An event arrives, and once more `after` some time, as by a broker that delivers at least once.
    Prefect's automations know an event for half an hour, and pass over it; later they count it again.
    """

    kind: ClassVar[str] = "event twice"

    after: timedelta = timedelta(0)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"after": arguments.span()}

    def fate(self, dice: Random) -> Fate:  # noqa: ARG002
        return Fate(twice=True, seconds=self.after.total_seconds())

    def does(self) -> str:
        return f"delivers events {self.target} twice"
