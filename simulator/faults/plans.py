"""What may go wrong, for whom, when, and how often.

A fault's dice depend on the simulation's seed, on the step's name, and on which run it is: the cycle
(the instant for which the outermost parent was scheduled) and the how-manieth within it. So the same
hour fails in every variant of a scenario, however differently the variants get there, and no thread's
timing has a say.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulator.errors import SimulationError


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
    attempts: str | None = None
    between: tuple[datetime, datetime] | None = None
    after: timedelta = timedelta(0)
    number: int = 0
    _attempts: range | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise SimulationError(f"probability={self.probability!r} must be from 0 to 1")
        if self.after < timedelta(0):
            raise SimulationError(f"after={self.after.total_seconds():g} s must be 0 or more")
        if self.on is not None and any(index < 0 for index in self.on):
            raise SimulationError(f"on={self.on!r} must be numbers of runs, from 0")
        if self.between is not None:
            begin, end = self.between
            if begin.tzinfo is None or end.tzinfo is None or end <= begin:
                raise SimulationError(
                    f"between=({begin}, {end}) must be two aware instants, the earlier one first"
                )
        object.__setattr__(self, "_attempts", parse_attempts(self.attempts))

    def strikes(self, step: Step, now: datetime, seed: int) -> bool:
        """Whether this attempt fails."""
        if self.on is not None and step.occurrence not in self.on:
            return False
        if self._attempts is not None and step.attempt not in self._attempts:
            return False
        if self.between is not None and not self.between[0] <= now < self.between[1]:
            return False
        return step.dice(seed, f"fault {self.number}").random() < self.probability

    def raised(self) -> BaseException | type[BaseException]:
        """The error, without the traces of having been raised before."""
        return (
            self.error.with_traceback(None) if isinstance(self.error, BaseException) else self.error
        )


def parse_attempts(attempts: str | None) -> range | None:
    """`"2"` or `"1-3"`, in Prefect's run counts, which begin at 1. None stays None.

    Raises SimulationError for anything else.
    """
    if attempts is None:
        return None
    first, _, last = str(attempts).partition("-")
    try:
        numbers = range(int(first), int(last or first) + 1)
    except ValueError:
        numbers = range(0)
    if not numbers or numbers.start < 1:
        raise SimulationError(
            f"attempts={attempts!r} must be a run count from 1, or a range such as '1-2'"
        )
    return numbers
