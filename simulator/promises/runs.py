"""Promises about runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.arguments import checked, kinds
from simulator.history import History, RunRecord, moment
from simulator.promises.promise import Break, Lost, Promise


@dataclass(frozen=True)
class OfRuns(Promise):
    """About the runs of a flow, or of a deployment ("flow/deployment"); None: of all."""

    of: str | None

    def check(self, history: History) -> None:
        self.runs(history)

    def runs(self, history: History) -> list[RunRecord]:
        """Its runs. Raises SimulationError if nothing is called so."""
        return _runs(history, self.of)

    def lost(self, history: History, broken: datetime) -> Lost:  # noqa: ARG002  as in its base
        """The break itself: it is a state that a run enters or does not leave, which takes no time."""
        return Lost(broken)


@dataclass(frozen=True)
class _NeverTwo(OfRuns):
    def breaks(self, history: History) -> Iterator[Break]:
        runs = self.runs(history)
        spans = sorted(
            (since, until, number)
            for number, run in enumerate(runs)
            for since, until in _in(run, "RUNNING", history.now)
        )
        for number, (since, until, this) in enumerate(spans):
            for other, other_until, that in spans[:number]:
                if other_until > since and other <= since and this != that:
                    both = (runs[that], runs[this])
                    yield Break(since, min(until, other_until), "two were Running", both)


@dataclass(frozen=True)
class _OncePerCycle(OfRuns):
    def breaks(self, history: History) -> Iterator[Break]:
        cycles: dict[tuple[str, datetime], list[RunRecord]] = defaultdict(list)
        for run in self.runs(history):
            cycle = _outermost(run).scheduled
            if run.start is not None and cycle is not None:
                cycles[run.deployment or run.flow, cycle].append(run)
        for (name, cycle), runs in cycles.items():
            if len(runs) > 1:
                runs.sort(key=lambda run: run.start or history.now)
                said = f"{name} has run {len(runs)} times for {moment(cycle)}"
                yield Break(runs[1].start or history.now, history.now, said, tuple(runs))


@dataclass(frozen=True)
class _NeverPending(OfRuns):
    within: timedelta

    def breaks(self, history: History) -> Iterator[Break]:
        for run in self.runs(history):
            for since, until in _in(run, "PENDING", history.now):
                if until - since > self.within:
                    said = f"{run.deployment or run.flow} is Pending since {moment(since)}"
                    yield Break(since + self.within, until, said, (run,))


@dataclass(frozen=True)
class _Noticed(OfRuns):
    within: timedelta
    by: str

    def check(self, history: History) -> None:
        super().check(history)
        _runs(history, self.by)

    def breaks(self, history: History) -> Iterator[Break]:
        notices = sorted(run.start for run in _runs(history, self.by) if run.start is not None)
        for run in self.runs(history):
            if not run.failed or run.end is None or self.by in (run.flow, run.deployment):
                continue
            seen = next((at for at in notices if at >= run.end), history.now)
            if seen - run.end > self.within:
                said = f"{run.flow} was {run.state} at {moment(run.end)}, and no {self.by} began"
                yield Break(run.end + self.within, seen, said, (run,))


@checked(of=kinds.text)
def never_two(of: str) -> Promise:
    """No two runs of a flow, or of a deployment ("flow/deployment"), are Running at once."""
    return _NeverTwo(f"no two runs of {of} at once", of)


@checked(of=kinds.text)
def once_per_cycle(of: str) -> Promise:
    """No run of a flow or deployment begins twice for one cycle: the instant for which it, or the
    outermost run that called it, was scheduled.
    """
    return _OncePerCycle(f"no run of {of} twice for one cycle", of)


@checked(within=kinds.span(above_zero=True), of=kinds.optional(kinds.text))
def never_pending(within: timedelta, of: str | None = None) -> Promise:
    """No run (of a flow or deployment) is Pending for longer than `within`."""
    return _NeverPending(f"nothing{_of(of)} Pending for longer than {within}", of, within)


@checked(by=kinds.text, within=kinds.span(above_zero=True), of=kinds.optional(kinds.text))
def noticed(by: str, within: timedelta, of: str | None = None) -> Promise:
    """Whenever a run (of a flow or deployment) has ended badly, a run of the flow or deployment `by`,
    which is how a team is told, begins `within` that time.
    """
    name = f"who fails{_of(of)} is noticed by {by} within {within}"
    return _Noticed(name, of, within, by)


def _of(of: str | None) -> str:
    return "" if of is None else f" of {of}"


def _runs(history: History, of: str | None) -> list[RunRecord]:
    if of is not None and "/" in of:
        return history.runs(deployment=of)
    return history.runs(of)


def _in(run: RunRecord, type: str, now: datetime) -> Iterator[tuple[datetime, datetime]]:  # noqa: A002
    """The spans of time in which a run was in states of a type."""
    began: datetime | None = None
    for state in run.states:
        if state.type == type:
            began = began or state.timestamp
        elif began is not None:
            yield began, state.timestamp
            began = None
    if began is not None:
        yield began, now


def _outermost(run: RunRecord) -> RunRecord:
    while run.parent is not None:
        run = run.parent
    return run
