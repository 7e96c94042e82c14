"""A step returns something else."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.faults.plans import Effect, Step, StepFault


@dataclass(frozen=True, kw_only=True)
class Return(StepFault):
    """A step returns `value` in place of what its own code would: a stub, a wrong or empty batch."""

    kind: ClassVar[str] = "return"

    value: Any = None

    def effect(self, step: Step, dice: random.Random) -> Effect:  # noqa: ARG002
        return Effect(before=self.after.total_seconds(), value=(self.value,))

    def does(self) -> str:
        return f"returns {self.value!r} in place of {self.step}"
