"""Faults of events: what becomes of one between whoever emits it and whoever listens on the server.

The server's own events are struck as well as those of flow runs' processes: automations hear of both,
and so does what writes down the states of task runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import ClassVar
from uuid import UUID

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.counted import CountedFaults
from simulator.faults.plans import Fault, Injected, Stage, virtual

HEARTBEAT = "prefect.flow-run.heartbeat"


@dataclass(frozen=True)
class Fate:
    """What becomes of an event that is struck: it is `lost`, or comes `seconds` of virtual time later,
    or comes at once and, `twice`, once more then.
    """

    lost: bool = False
    seconds: float = 0.0
    twice: bool = False


@dataclass(frozen=True)
class Emitted:
    """An event that may be struck: its name, and the flow and the flow run that it is about."""

    event: str
    flow: str | None
    run_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class EventFault(Fault):
    """A fault of Prefect's events.

    Args:
        event: Which events, by name, a star for any part of it: "prefect.flow-run.Completed".
        flow: Those about runs of this flow alone, and their tasks.
        on: Numbers of the events that it may strike, from 0 in their order, of those that it concerns.
    """

    event: str = "*"
    flow: str | None = None
    on: Collection[int] | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "event": arguments.text,
        "flow": arguments.optional(arguments.text),
        "on": arguments.optional(arguments.run_numbers),
    }

    @property
    def target(self) -> str:
        return self.event if self.flow is None else f"{self.event} of {self.flow}"

    def check(self, stage: Stage) -> None:
        virtual(stage, self).events.check(self)

    def begin(self, stage: Stage, injected: Injected) -> None:
        virtual(stage, self).events.strike(injected)

    def concerns(self, emitted: Emitted) -> bool:
        """Whether it may strike an event by its name and whose it is."""
        pattern = re.escape(self.event).replace(r"\*", ".*")
        return (
            self.flow in (None, emitted.flow) and re.fullmatch(pattern, emitted.event) is not None
        )

    def fate(self, dice: Random) -> Fate:
        """What becomes of an event that it strikes. The dice are its own, for this event."""
        raise NotImplementedError


class Events(CountedFaults):
    """The faults of events in one simulation, asked for each event.

    `cycle(run_id)` is the instant for which a run's outermost parent was scheduled; `beating()` says
    whether flow runs send heartbeats.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        cycle: Callable[[UUID | None], datetime],
        beating: Callable[[], bool],
    ) -> None:
        super().__init__(now)
        self._cycle = cycle
        self._beating = beating

    def check(self, fault: EventFault) -> None:
        """Refuse a fault of heartbeats where there are none."""
        if fault.event == HEARTBEAT and not self._beating():
            raise SimulationError(
                f"{fault.kind}: flow runs send no heartbeats here:"
                " PREFECT_FLOWS_HEARTBEAT_FREQUENCY is None; by default they come every 180 seconds"
            )

    def struck(self, emitted: Emitted) -> tuple[Injected, float, Fate] | None:
        """The fault that strikes an event now, its draw, and what becomes of the event.

        It is drawn by what the event is about and called, and for which cycle.
        """
        cycle = self._cycle(emitted.run_id).isoformat(timespec="seconds")
        found = self.strikes_now(emitted, f"event {emitted.event} {emitted.flow}/{cycle}")
        if found is None:
            return None
        injected, draw, dice = found
        return injected, draw, injected.fault.fate(dice)
