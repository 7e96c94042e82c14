"""A step takes longer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.durations import Duration, draw
from simulator.faults.plans import Effect, Step, StepFault


@dataclass(frozen=True, kw_only=True)
class Longer(StepFault):
    """A step takes `factor` times as long as it would, and `by` on top: a timedelta, `lognormal(...)`,
    or a list. At least one of them is given.
    """

    kind: ClassVar[str] = "longer"

    factor: float = 1.0
    by: Duration = timedelta(0)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "factor": arguments.number(1),
        "by": arguments.duration,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor == 1 and self.by == timedelta(0):
            raise SimulationError(
                f"a fault that makes {self.step!r} take longer needs factor= or by="
            )

    def effect(self, step: Step, dice: random.Random) -> Effect:
        by = draw(self.by, step.occurrence, dice).total_seconds()
        return Effect(before=self.after.total_seconds(), factor=self.factor, longer=by)

    def does(self) -> str:
        parts = [f"{self.factor:g} times as long"] if self.factor != 1 else []
        if isinstance(self.by, timedelta) and self.by:
            parts.append(f"{self.by} longer")
        elif not isinstance(self.by, timedelta):
            parts.append(f"longer by {self.by}")
        return f"lets {self.step} take {' and '.join(parts)}"
