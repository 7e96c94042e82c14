"""A step returns what it has returned before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError, UnsupportedOperation
from simulator.faults.plans import Effect, Injected, Stage, Step, StepFault, journal_of


@dataclass(frozen=True, kw_only=True)
class ReturnEarlier(StepFault):
    """A step returns what it returned `runs_back` runs before, at the same place of the same flow of
    flows, in place of what its own code would: a stale cache, yesterday's batch. One that has not
    returned anything there so far, or what cannot be copied, is not struck.
    """

    kind: ClassVar[str] = "return earlier"

    runs_back: int = 1

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"runs_back": arguments.whole(1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.on is not None and max(self.on) < self.runs_back:
            raise SimulationError(
                f"on={sorted(self.on)}: {self.step!r} has not returned anything {self._ago} then"
            )

    def begin(self, stage: Stage, injected: Injected) -> None:
        if journal_of(stage) is None:
            raise UnsupportedOperation(
                f"{self.kind}: on a live engine no process knows what another one has returned"
            )
        super().begin(stage, injected)

    def effect(self, step: Step, dice: random.Random) -> Effect:  # noqa: ARG002
        return Effect(before=self.after.total_seconds(), runs_back=self.runs_back)

    def does(self) -> str:
        return f"returns what it returned {self._ago} in place of {self.step}"

    @property
    def _ago(self) -> str:
        return "the run before" if self.runs_back == 1 else f"{self.runs_back} runs before"
