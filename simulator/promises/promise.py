"""What a promise is, and how it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulator.errors import SimulationError
from simulator.history import History, RunRecord, explain, moment

WITNESSES = 3
"""So many runs are named that show a break."""


class PromiseBroken(AssertionError):
    """A promise was broken, and nobody has looked at it."""


@dataclass(frozen=True)
class Break:
    """A span of time in which a promise does not hold, and the runs that show it. `until` is the end
    of the history for what does not heal.
    """

    since: datetime
    until: datetime
    said: str
    runs: tuple[RunRecord, ...] = ()


@dataclass(frozen=True)
class Lost:
    """The instant from which on a promise could no longer be kept, and what says so; empty if it is the
    break itself.
    """

    at: datetime
    because: str = ""


@dataclass(frozen=True)
class Promise:
    """Something that must hold at every instant; `name` is the sentence that says it."""

    name: str

    def check(self, history: History) -> None:
        """Raise SimulationError, one line, if it is about something that is not there."""

    def breaks(self, history: History) -> Iterator[Break]:
        """The spans of time in which it does not hold, in any order."""
        raise NotImplementedError

    def lost(self, history: History, broken: datetime) -> Lost | None:  # noqa: ARG002  by kind
        """From when on the first break, at the instant `broken`, could no longer be averted; None where
        the history does not tell.
        """
        return None


@dataclass(frozen=True)
class Outcome:
    """Whether a promise was kept. If not: the first instant at which it was broken, for how long in
    all, in words, the runs that show the first break, and why each of them ended so. `lost` is the
    instant from which on that break could no longer be averted, None where the history does not tell.
    """

    name: str
    kept: bool
    first: datetime | None = None
    lasted: timedelta = timedelta(0)
    said: str = ""
    runs: tuple[RunRecord, ...] = ()
    explained: tuple[str, ...] = ()
    lost: datetime | None = None

    def __str__(self) -> str:
        """A line for what was kept; else the sentence, and below it what broke it."""
        if self.kept:
            return f"kept: {self.name}"
        lines = [f"BROKEN: {self.name}", f"  {self.said}"]
        lines += [f"  run: {run!r}" for run in self.runs]
        lines += [f"  why: {line}" for text in self.explained for line in text.splitlines()]
        return "\n".join(lines)


@dataclass
class Promises:
    """The promises of one simulation, each with the instant from which on it is to hold."""

    made: list[tuple[Promise, datetime | None]] = field(default_factory=list)
    looked_at: bool = False

    def make(self, promise: Promise, since: datetime | None = None) -> None:
        """Hold to a promise from an instant on; from the beginning by default."""
        self.made.append((promise, since))
        self.looked_at = False

    def outcomes(self, history: History) -> list[Outcome]:
        """Whether each of them was kept so far, in the order in which they were made."""
        self.looked_at = True
        return [judge(promise, history, since) for promise, since in self.made]


def judge(promise: Promise, history: History, since: datetime | None = None) -> Outcome:
    """Whether a promise was kept in a history, from an instant on."""
    try:
        promise.check(history)
    except SimulationError as error:
        return Outcome(promise.name, kept=False, said=str(error))
    found = [
        one for one in promise.breaks(history) if since is None or one.until > since
    ]  # a break that is over by then is forgiven
    if not found:
        return Outcome(promise.name, kept=True)
    first = min(found, key=lambda one: one.since)
    began = first.since if since is None else max(first.since, since)
    lasted = _together(found, since)
    still = ", and still is" if any(one.until >= history.now for one in found) else ""
    runs = first.runs[:WITNESSES]
    lost = promise.lost(history, began)
    late = f"; {lost.because}" if lost is not None and lost.because else ""
    return Outcome(
        promise.name,
        kept=False,
        first=began,
        lasted=lasted,
        said=f"broken first at {moment(began)}, for {_length(lasted)} in all{still}: {first.said}{late}",
        runs=runs,
        explained=tuple(str(explain(history, run)) for run in runs),
        lost=None if lost is None else lost.at,
    )


def _together(breaks: Iterable[Break], since: datetime | None) -> timedelta:
    """How long at least one of them lasts."""
    total, reached = timedelta(0), since
    for one in sorted(breaks, key=lambda one: one.since):
        begin = one.since if reached is None else max(one.since, reached)
        total += max(one.until - begin, timedelta(0))
        reached = one.until if reached is None else max(reached, one.until)
    return total


def _length(span: timedelta) -> str:
    return str(span).partition(".")[0]
