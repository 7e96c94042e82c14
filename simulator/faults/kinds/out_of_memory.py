"""A step's process runs out of memory."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.plans import Effect, Step, StepFault

EXIT_CODE = 137
"""That of a container whose process has been killed: 128 and SIGKILL."""


@dataclass(frozen=True, kw_only=True)
class OutOfMemory(StepFault):
    """The process in which a step runs is killed for its memory, as a container's is: exit code 137."""

    kind: ClassVar[str] = "out of memory"

    def effect(self, step: Step, dice: random.Random) -> Effect:  # noqa: ARG002
        return Effect(before=self.after.total_seconds(), exit_code=EXIT_CODE)

    def does(self) -> str:
        return f"lets the process of {self.step} run out of memory (exit code {EXIT_CODE})"
