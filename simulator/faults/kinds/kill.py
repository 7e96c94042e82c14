"""A step's process is killed."""

from __future__ import annotations

import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.plans import Effect, Step, StepFault


@dataclass(frozen=True, kw_only=True)
class Kill(StepFault):
    """The process in which a step runs ends with `exit_code`, `after` some time, before the step's own
    code: nothing of it happens any more, no `finally` and no report, and its worker finds it dead.
    """

    kind: ClassVar[str] = "kill"

    exit_code: int = -signal.SIGKILL

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"exit_code": arguments.exit_code}

    def effect(self, step: Step, dice: random.Random) -> Effect:  # noqa: ARG002
        return Effect(before=self.after.total_seconds(), exit_code=self.exit_code)

    def does(self) -> str:
        return f"kills the process of {self.step} (exit code {self.exit_code})"
