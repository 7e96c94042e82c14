"""An event is lost."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from simulator.faults.events import EventFault, Fate


@dataclass(frozen=True, kw_only=True)
class EventLost(EventFault):
    """An event never arrives: no automation hears of it, and nobody reads it later."""

    kind: ClassVar[str] = "event lost"

    def fate(self, dice: Random) -> Fate:  # noqa: ARG002
        return Fate(lost=True)

    def does(self) -> str:
        return f"loses events {self.target}"
