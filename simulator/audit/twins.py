"""Which run of one simulation is which of another, that differs from it by a fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar
from uuid import UUID

from simulator.history import History, RunRecord, TaskRecord

Thing = TypeVar("Thing")


class Twins:
    """The runs of two histories, `before` without a fault and `after` with it, side by side.

    Runs that a schedule has made are the same if they are of one deployment and one instant; others
    that nobody has called, and children of one parent, if they are of one deployment or flow, in order.
    """

    def __init__(self, before: History, after: History) -> None:
        self.before, self.after = before, after
        self._after: dict[UUID, RunRecord] = {}
        self._before: dict[UUID, RunRecord] = {}
        self._pair(_roots(before), _roots(after))

    def pairs(self) -> Iterator[tuple[RunRecord, RunRecord]]:
        """Those that are in both."""
        for run in self.before.runs():
            if run.id in self._after:
                yield run, self._after[run.id]

    def missing(self) -> list[RunRecord]:
        """Those that have begun in `before` and are not there in `after`, or have not begun."""
        found = []
        for run in self.before.runs():
            twin = self._after.get(run.id)
            if run.start is not None and (twin is None or (twin.start is None and not twin.final)):
                found.append(run)
        return found

    def new(self) -> list[RunRecord]:
        """Those that are in `after` alone."""
        return [run for run in self.after.runs() if run.id not in self._before]

    def with_fault(self, run: RunRecord) -> RunRecord | None:
        """The twin of a run of `before`."""
        return self._after.get(run.id)

    def without_fault(self, run: RunRecord) -> RunRecord | None:
        """The twin of a run of `after`."""
        return self._before.get(run.id)

    def tasks_gone_wrong(self, run: RunRecord) -> list[TaskRecord]:
        """The tasks of a run of `after` that are not Completed, and were without the fault."""
        twin = self._before.get(run.id)
        known = {} if twin is None else dict(_numbered(twin.tasks, lambda task: task.task))
        return [
            task
            for key, task in _numbered(run.tasks, lambda task: task.task)
            if task.state_type != "COMPLETED"
            and (key not in known or known[key].state_type == "COMPLETED")
        ]

    def _pair(self, before: Iterable[RunRecord], after: Iterable[RunRecord]) -> None:
        known = dict(_numbered(after, _name_of))
        for key, run in _numbered(before, _name_of):
            twin = known.get(key)
            if twin is not None:
                self._after[run.id], self._before[twin.id] = twin, run
                self._pair(run.children, twin.children)


def named(run: RunRecord) -> str:
    """The deployment of a run, or else its flow."""
    return run.deployment or run.flow


def outermost(run: RunRecord) -> RunRecord:
    """The run that nobody has called, among those that have led to a run."""
    return run if run.parent is None else outermost(run.parent)


def _roots(history: History) -> list[RunRecord]:
    return [run for run in history.runs() if run.parent is None]


def _name_of(run: RunRecord) -> Hashable:
    return named(run), run.scheduled if run.auto_scheduled else None


def _numbered(
    things: Iterable[Thing], name: Callable[[Thing], Hashable]
) -> Iterator[tuple[Hashable, Thing]]:
    """Things, each with its name and how many of that name were before it."""
    seen: Counter[Hashable] = Counter()
    for thing in things:
        key = name(thing)
        yield (key, seen[key]), thing
        seen[key] += 1
