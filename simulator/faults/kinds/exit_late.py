"""A process exits late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.durations import Duration, draw
from simulator.faults.plans import Injected, Stage, virtual
from simulator.faults.starts import StartFault


@dataclass(frozen=True, kw_only=True)
class ExitLate(StartFault):
    """Processes of `work_pool` end `by` later than their flows: something does not close. The run has
    its final state, and its worker counts it for its limit until the process is gone. A timedelta, or
    `lognormal(...)`.
    """

    kind: ClassVar[str] = "exit late"

    by: Duration = timedelta(minutes=1)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"by": arguments.duration}

    def begin(self, stage: Stage, injected: Injected) -> None:
        virtual(stage, self).exits.strike(injected)

    def seconds(self, dice: Random) -> float:
        return draw(self.by, 0, dice).total_seconds()

    def does(self) -> str:
        return f"lets processes of {self.target} exit later by {self.by}"
