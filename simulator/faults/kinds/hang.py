"""A step hangs for ever."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.plans import Effect, Step, StepFault


@dataclass(frozen=True, kw_only=True)
class Hang(StepFault):
    """A step never comes back, and never gets to its own code. A time-out, a cancellation or the end
    of its process ends it, as they would end a sleep.
    """

    kind: ClassVar[str] = "hang"

    def effect(self, step: Step, dice: random.Random) -> Effect:  # noqa: ARG002
        return Effect(before=self.after.total_seconds(), forever=True)

    def does(self) -> str:
        return f"lets {self.step} hang for ever"
