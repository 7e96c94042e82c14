"""What came out of a variant: whether each expectation held, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.caveats import Caveat
    from simulator.history import History
    from simulator.history.measures import Measure
    from simulator.promises import Outcome


@dataclass(frozen=True)
class Verdict:
    """Whether one expectation held in one variant.

    `message` is the failed assertion, `where` its file and line, `runs` describes the run records
    that the failed statement was looking at, and `explained` says why each of them ended so. All are
    empty if the expectation held. `broken_at` and `lost_at` are those of a broken promise.
    """

    expectation: str
    passed: bool
    message: str = ""
    where: str = ""
    runs: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    broken_at: datetime | None = None
    lost_at: datetime | None = None

    def lines(self) -> list[str]:
        """The verdict in words: the sentence, and below it what broke it."""
        if self.passed:
            return [f"holds: {self.expectation}"]
        detail = [*self.message.splitlines(), *(f"run: {run}" for run in self.runs)]
        detail += [line for text in self.explained for line in f"why: {text}".splitlines()]
        if self.where:
            detail.append(f"at {self.where}")
        return [f"BROKEN: {self.expectation}", *(f"  {line}" for line in detail)]


@dataclass(frozen=True)
class VariantResult:
    """What came out of one variant: a verdict per expectation, measures, and the history.

    `error` is one line if the variant itself broke (the scenario's function raised, the
    simulation stalled, its process died); no expectation was looked at then, unless it broke only
    at the end. `traceback` goes with it. `real_seconds` is what the variant took on the wall clock.
    `caveats` is what the simulation could not show rightly. `tables` are the rows of its warehouse
    by "schema.table", if they were asked for.
    """

    scenario: str
    variant: str
    seed: int
    days: int
    verdicts: tuple[Verdict, ...] = ()
    measures: tuple[Measure, ...] = ()
    history: History | None = None
    error: str = ""
    traceback: str = ""
    real_seconds: float = 0.0
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    caveats: tuple[Caveat, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the variant ran to its end and every expectation held."""
        return not self.error and all(verdict.passed for verdict in self.verdicts)

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The verdicts of the expectations that did not hold."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed)

    def lines(self) -> list[str]:
        """What went wrong, in words; empty if nothing did."""
        crash = [f"CRASHED: {self.error}"] if self.error else []
        return crash + [line for verdict in self.broken for line in verdict.lines()]


def verdict_of(promise: Outcome) -> Verdict:
    """What became of a promise, as a verdict."""
    return Verdict(
        promise.name,
        promise.kept,
        message=promise.said,
        runs=tuple(map(repr, promise.runs)),
        explained=promise.explained,
        broken_at=promise.first,
        lost_at=promise.lost,
    )
