"""A process is slow to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.durations import Duration, draw
from simulator.faults.starts import StartFault


@dataclass(frozen=True, kw_only=True)
class SlowStart(StartFault):
    """Processes of `work_pool` begin `by` later: an image is pulled, a machine comes up. The run is
    Pending meanwhile, and holds its slots. A timedelta, or `lognormal(...)`.
    """

    kind: ClassVar[str] = "slow start"

    by: Duration = timedelta(minutes=1)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"by": arguments.duration}

    def seconds(self, dice: Random) -> float | None:
        return draw(self.by, 0, dice).total_seconds()

    def does(self) -> str:
        return f"lets processes of {self.target} start later by {self.by}"
