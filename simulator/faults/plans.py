"""What may go wrong, for whom, when, and how often.

A fault's dice depend on the simulation's seed, on the step's name, and on which run it is: the cycle
(the instant for which the outermost parent was scheduled) and the how-manieth within it. So the same
hour fails in every variant of a scenario, however differently the variants get there, and no thread's
timing has a say.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Step:
    """One attempt at one run of a flow or a task.

    `occurrence` counts the runs of this name from 0, in the order of their start; `attempt` is
    Prefect's `run_count`, from 1. `cycle` and `within` name the run independently of how it came to
    be: the instant for which its outermost parent was scheduled, and its place in that cycle.
    """

    name: str
    occurrence: int
    attempt: int
    cycle: datetime
    within: int

    def dice(self, seed: int, purpose: str) -> random.Random:
        """Random numbers for this step and `purpose` alone."""
        cycle = self.cycle.isoformat(timespec="seconds")
        return random.Random(f"{seed}/{purpose}/{self.name}/{cycle}/{self.within}/{self.attempt}")


@dataclass(frozen=True)
class Fault:
    """An error for some attempts of the steps named `name`. See `Simulation.fail`."""

    name: str
    error: BaseException | type[BaseException]
    probability: float = 1.0
    on: Collection[int] | None = None
    attempts: range | None = None
    between: tuple[datetime, datetime] | None = None
    after: timedelta = timedelta(0)
    number: int = 0

    def strikes(self, step: Step, now: datetime, seed: int) -> bool:
        """Whether this attempt fails."""
        if self.on is not None and step.occurrence not in self.on:
            return False
        if self.attempts is not None and step.attempt not in self.attempts:
            return False
        if self.between is not None and not self.between[0] <= now < self.between[1]:
            return False
        return step.dice(seed, f"fault {self.number}").random() < self.probability

    def raised(self) -> BaseException:
        """The error, without the traces of having been raised before."""
        error = self.error if isinstance(self.error, BaseException) else self.error()
        try:
            return copy.copy(error).with_traceback(None)
        except Exception:  # its class cannot be copied: it is told by its last time
            return error.with_traceback(None)

    def __str__(self) -> str:
        error = self.error if isinstance(self.error, BaseException) else self.error()
        text = f"raises {error!r} in {self.name}"
        return text + (f" with odds of {self.probability:g}" if self.probability < 1 else "")
