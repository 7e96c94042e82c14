"""Attempts: what has failed in one that was followed by another, so that its failing was answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from simulator.history.history import History
from simulator.history.records import RunRecord, StateRecord, TaskRecord


class Attempts:
    """Tells the failures of a run's last attempt from those of the earlier ones."""

    def __init__(self, history: History) -> None:
        self._callers: dict[UUID, UUID] = {}
        self._errors: dict[UUID, int] = {}
        for note in history.notes:
            if note.run_id is None:
                continue
            if note.kind == "call" and note.task_run_id is not None:
                self._callers.setdefault(note.run_id, note.task_run_id)
            elif note.kind == "error":
                self._errors[note.task_run_id or note.run_id] = note.number

    def answered(self, run: RunRecord, one: RunRecord | TaskRecord) -> bool:
        """Whether a child or a task of a run failed before the run, or the task of it that has called
        the child, began once more from the beginning.
        """
        caller = self._callers.get(one.id)
        return self._before_the_last(one, run) or any(
            self._before_the_last(one, task) for task in run.tasks if task.id == caller
        )

    def failures(self, run: RunRecord) -> Iterator[RunRecord]:
        """The runs that it has called, and that these have called, which ended badly unanswered."""
        for child in run.children:
            if not self.answered(run, child):
                if child.failed:
                    yield child
                yield from self.failures(child)

    def masks(self, run: RunRecord) -> bool:
        """Whether a run is Completed although one that it called, or that this called, ended badly."""
        return run.completed and any(True for _ in self.failures(run))

    def _before_the_last(self, one: RunRecord | TaskRecord, step: RunRecord | TaskRecord) -> bool:
        last = _last(step.states)
        if last is None or one.end is None:
            return False
        if one.end != last:
            return one.end < last
        # At one instant: what the step raised last ended its last attempt but one, unless it failed.
        failed, raised = self._errors.get(one.id), self._errors.get(step.id)
        return failed is None or raised is None or failed < raised


def _last(states: Iterable[StateRecord]) -> datetime | None:
    """When the last of several attempts began; None if there was one only."""
    found: datetime | None = None
    ran, before = False, ""
    for state in states:
        if state.type == "RUNNING" and ran and before not in ("RUNNING", "PAUSED"):
            found = state.timestamp
        ran = ran or state.type == "RUNNING"
        before = state.type
    return found
