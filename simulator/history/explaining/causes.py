"""What an exception goes back to: another run, a task, a fault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from simulator.history.explaining.evidence import Evidence, fault, of_reading
from simulator.history.explaining.explanation import Reason
from simulator.history.notes import Note
from simulator.history.records import BAD_TYPES, RunRecord

Follow = Callable[[RunRecord], list[Reason]]
"""The reasons of another run, which are the causes of this one's."""

MOMENT = timedelta(seconds=1)


class Causes:
    """Follows an exception back to where it began."""

    def __init__(self, evidence: Evidence, follow: Follow) -> None:
        self._evidence = evidence
        self._follow = follow

    def of(self, error: Note) -> list[Reason]:
        """What an exception goes back to; nothing if the run's own code is where it began."""
        assert error.run_id is not None
        run = self._evidence.runs.get(error.run_id)
        origin = self._evidence.numbered.get(-1 if error.because is None else error.because)
        if origin is None:
            if run is None:
                return []
            if (child := self._failed_before(run, error)) is not None:
                return self._follow(child)
            around = self._evidence.around(run, error)
            if around is not None:
                return [fault(around)]
            return self._before(run, error) or self.read(run, error)
        if origin.kind == "fault":
            return [fault(origin)]
        if origin.run_id is not None and origin.run_id != error.run_id:
            cause = self._evidence.runs.get(origin.run_id)
            return self.of(origin) if cause is None else self._follow(cause)
        if origin.task_run_id is not None and origin.task_run_id != error.task_run_id:
            return [by_task(origin, run), *self.of(origin)]
        return self.of(origin)

    def _failed_before(self, run: RunRecord, error: Note) -> RunRecord | None:
        """The child that an exception without a known origin is about: the last that went wrong; none
        if it is about a name that there is not.
        """
        if error.text.startswith("ObjectNotFound"):
            return None
        bad = [
            child
            for child in run.children
            if child.failed and child.end is not None and child.end <= error.at + MOMENT
        ]
        said = [child for child in bad if child.message and _told(child.message) in error.text]
        return max(said or bad, key=lambda child: child.end or error.at, default=None)

    def _before(self, run: RunRecord, error: Note) -> list[Reason]:
        """What went before an exception that tells of nothing else: the last wrong value that a fault
        has let a step give, or the last task that failed, if the flow's own code raised it.
        """
        steps = [run, *run.children]
        found = [
            note for step in steps for note in self._evidence.of(step, "fault") if _gives(note)
        ]
        if error.task_run_id is None:
            for task in run.tasks:
                if task.state_type in BAD_TYPES and not self._evidence.attempts.answered(run, task):
                    found += self._evidence.errors(run, task.id)
        earlier = [note for note in found if note.number < error.number]
        if not earlier:
            return []
        last = max(earlier, key=lambda note: note.number)
        return [fault(last)] if last.kind == "fault" else [by_task(last, run), *self.of(last)]

    def read(self, run: RunRecord, error: Note | None = None) -> list[Reason]:
        """What a run had read, up to an exception, that a fault has changed."""
        read = self._evidence.changed_reading(run, error)
        if read is None or read.because is None:
            return []
        return [of_reading(read, self._evidence.numbered[read.because])]

    def struck(self, run: RunRecord) -> list[Reason]:
        """The last fault that struck a run outside of its own code: a request, its process."""
        return [fault(note) for note in self._evidence.of(run, "fault")[-1:]]


def by_task(error: Note, run: RunRecord | None) -> Reason:
    """That a task of a run raised an exception."""
    tasks = {task.id: task for task in run.tasks} if run is not None else {}
    task = tasks.get(error.task_run_id) if error.task_run_id is not None else None
    name = "a task" if task is None else f"task {task.name}"
    return Reason(f"{name} raised {error.text}", error.at, error.where, error.run_id)


def _gives(struck: Note) -> bool:
    """Whether a fault has let a step give another value than its own."""
    return bool(struck.details.get("gives"))


def _told(message: str) -> str:
    """What a state's message says beside Prefect's own words."""
    return message.partition("encountered an exception: ")[2] or message
