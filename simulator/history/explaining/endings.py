"""Why a run ended as it did: what it raised, what was done to it, what it did not look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from simulator.history.explaining.evidence import Evidence, fault
from simulator.history.explaining.explanation import Reason
from simulator.history.notes import Note
from simulator.history.records import RunRecord, TaskRecord

Follow = Callable[[RunRecord], list[Reason]]
"""The reasons of another run, which are the causes of this one's."""

_MOMENT = timedelta(seconds=1)


class Endings:
    """Explains runs that have ended, and those that never will."""

    def __init__(self, evidence: Evidence, follow: Follow) -> None:
        self._evidence = evidence
        self._follow = follow

    # -- badly -------------------------------------------------------------------------------------

    def bad(self, run: RunRecord) -> list[Reason]:
        """Of a run that is Failed, TimedOut, Crashed or Cancelled."""
        if run.state_type == "CANCELLED":
            return self._cancelled(run)
        if run.state_type == "CRASHED":
            return self._crashed(run)
        if run.state == "TimedOut":
            return self._timed_out(run)
        error = self._evidence.error(run)
        returned = (run.message or "").endswith("states failed.")
        if error is not None and not returned:
            return [self._ended(run, f"it raised {error.text}", error.where), *self._cause(error)]
        return self._returned(run)

    def _ended(self, run: RunRecord, why: str, where: str = "") -> Reason:
        return Reason(f"{run.state}: {why}", run.end, where, run.id)

    def _cause(self, error: Note) -> list[Reason]:
        """What an exception goes back to; nothing if the run's own code is where it began."""
        assert error.run_id is not None
        run = self._evidence.runs.get(error.run_id)
        origin = self._evidence.numbered.get(-1 if error.because is None else error.because)
        if origin is None:
            if run is not None and (asked := self._asked_in_vain(run, error)) is not None:
                return [fault(asked)]
            if run is None:
                return []
            if (child := self._failed_before(run, error)) is not None:
                return self._follow(child)
            around = self._evidence.around(run, error)
            return [] if around is None else [fault(around)]
        if origin.kind == "fault":
            return [fault(origin)]
        if origin.run_id is not None and origin.run_id != error.run_id:
            cause = self._evidence.runs.get(origin.run_id)
            return self._cause(origin) if cause is None else self._follow(cause)
        if origin.task_run_id is not None and origin.task_run_id != error.task_run_id:
            return [_task(origin, run), *self._cause(origin)]
        return self._cause(origin)

    def _asked_in_vain(self, run: RunRecord, error: Note) -> Note | None:
        """The last request of a run that a fault has struck, if an exception names its address."""
        struck = self._evidence.of(run, "fault")
        asked = [(note, note.details.get("request", "").partition(" ")[2]) for note in struck]
        named = [
            note for note, path in asked if path and path in error.text and note.at <= error.at
        ]
        return named[-1] if named else None

    def _failed_before(self, run: RunRecord, error: Note) -> RunRecord | None:
        """The child that an exception without a known origin is about: the last that went wrong; none
        if it is about a name that there is not.
        """
        if error.text.startswith("ObjectNotFound"):
            return None
        bad = [
            child
            for child in run.children
            if child.failed and child.end is not None and child.end <= error.at + _MOMENT
        ]
        said = [child for child in bad if child.message and _told(child.message) in error.text]
        return max(said or bad, key=lambda child: child.end or error.at, default=None)

    def _returned(self, run: RunRecord) -> list[Reason]:
        """It has ended badly without raising: by what it returned, or before its code began."""
        here = self._ended(run, (run.message or "no message").partition("\n")[0])
        errors = [note for note in self._evidence.of(run, "error") if note.task_run_id is not None]
        for child in reversed(run.children):
            if child.failed:
                return [here, *self._follow(child)]
        if errors:
            return [here, _task(errors[-1], run), *self._cause(errors[-1])]
        return [here, *self._struck(run)]

    def _struck(self, run: RunRecord) -> list[Reason]:
        """The last fault that struck a run outside of its own code: a request, its process."""
        return [fault(note) for note in self._evidence.of(run, "fault")[-1:]]

    def _timed_out(self, run: RunRecord) -> list[Reason]:
        error = self._evidence.error(run)
        where = "" if error is None else error.where
        here = self._ended(run, run.message or "its time was up", where)
        return [here, *self._took_long(run)]

    def _took_long(self, run: RunRecord) -> list[Reason]:
        """What a run was waiting for at its end, or now."""
        end = run.end or self._evidence.history.now
        struck = self._evidence.of(run, "fault")
        if struck:
            return [fault(struck[-1])]
        for child in reversed(run.children):
            if child.end is None or child.end >= end - _MOMENT:
                line = self._evidence.called_at(child)
                waited = Reason(f"it waited for {child.flow}", child.start, line, child.id)
                late = self._follow(child) if child.start is None else self._took_long(child)
                return [waited, *late]
        return []

    def _crashed(self, run: RunRecord) -> list[Reason]:
        ended = self._ended_from_outside(run)
        if ended:
            return [self._ended(run, (run.message or "").partition("\n")[0]), *ended]
        error = self._evidence.error(run)
        if error is None:
            return self._returned(run)
        cause = self._cause(error)
        if error.text.startswith("CancelledError") and not any(
            one.fault is not None for one in cause
        ):
            return [self._ended(run, "it was cancelled", error.where), *self._canceller(run)]
        return [self._ended(run, f"it raised {error.text}", error.where), *cause]

    def _canceller(self, run: RunRecord) -> list[Reason]:
        """Why a run was cancelled within its process: another child of its parent has failed, as in a
        task group, or else its parent has ended.
        """
        if run.parent is None:
            return []
        for other in run.parent.children:
            if other.state_type == "FAILED" and run.end is not None and _ended_at(other) <= run.end:
                return self._follow(other)
        return self._follow(run.parent) if run.parent.failed else []

    def _ended_from_outside(self, run: RunRecord) -> list[Reason]:
        """Who ended its process, which is also that of its parent and its subflows."""
        for one in _of_one_process(run):
            for note in reversed(self._evidence.of(one, "order")):
                if note.text.startswith("killed"):
                    return [Reason(f"its process was {note.text}", note.at, note.where, run.id)]
            for note in reversed(self._evidence.of(one, "fault")):
                if note.details.get("process"):
                    return [fault(note)]
        return []

    def _cancelled(self, run: RunRecord) -> list[Reason]:
        for note in reversed(self._evidence.of(run, "order")):
            if note.text.startswith("Cancel"):
                asked = Reason(f"{note.text} was asked for", note.at, note.where, run.id)
                return [self._ended(run, "somebody asked for it"), asked]
        if run.parent is not None and run.parent.state_type in ("CANCELLED", "CANCELLING"):
            return [self._ended(run, "with its parent"), *self._follow(run.parent)]
        return [self._ended(run, (run.message or "by the server").partition("\n")[0])]

    # -- well, or so it seems ----------------------------------------------------------------------

    def well(self, run: RunRecord) -> list[Reason]:
        """Of a run that is Completed: what went wrong all the same."""
        masked = sorted((c for c in run.children if c.failed), key=_ended_at)
        if masked:
            return [self._masked(run, masked[0], len(masked) - 1), *self._follow(masked[0])]
        failed = [task for task in run.tasks if task.state_type in ("FAILED", "CRASHED")]
        if failed:
            return self._masked_task(run, failed[0])
        for child in run.children:
            if child.completed and self._hides(child):
                here = Reason(f"Completed, as is its child {child.flow}", run.end, "", run.id)
                return [here, *self._follow(child)]
        tried = [note for note in self._evidence.of(run, "error") if note.task_run_id is None]
        if tried:
            said = f"Completed at attempt {run.run_count}, after {tried[-1].text}"
            return [Reason(said, run.end, tried[-1].where, run.id), *self._cause(tried[-1])]
        struck = self._struck(run)
        if struck:
            return [Reason("Completed, though it was struck", run.end, "", run.id), *struck]
        ordered = self._ordered_under_a_fault(run)
        if ordered is not None:
            return [Reason("Completed, but ordered amiss", run.end, "", run.id), fault(ordered)]
        return self._healed(run) or [
            Reason("Completed, and nothing in it went wrong", run.end, "", run.id)
        ]

    def _healed(self, run: RunRecord) -> list[Reason]:
        """What failed at first in a run that is Completed, and went well in the end: a task, a child."""
        for task in run.tasks:
            errors = [n for n in self._evidence.of(run, "error") if n.task_run_id == task.id]
            if errors and task.run_count > 1:
                said = f"Completed, with task {task.name} at attempt {task.run_count}"
                after = f"{said}, after {errors[-1].text}"
                return [Reason(after, run.end, errors[-1].where, run.id), *self._cause(errors[-1])]
        for child in run.children:
            if child.completed and (child.run_count > 1 or self._healed(child)):
                said = f"Completed, as is its child {child.flow} in the end"
                return [Reason(said, run.end, "", run.id), *self._follow(child)]
        return []

    def _ordered_under_a_fault(self, run: RunRecord) -> Note | None:
        """The fault that struck a request of its parent for such a run, at or before its making: it
        may be one of several.
        """
        struck = [] if run.parent is None else self._evidence.of(run.parent, "fault")
        made = run.states[0].timestamp if run.states else run.start
        orders = [
            one for one in struck if one.details.get("request", "").endswith("/create_flow_run")
        ]
        return next((one for one in orders if made is not None and one.at <= made), None)

    def _hides(self, run: RunRecord) -> bool:
        return any(one.failed for one in run.descendants()) or any(
            task.state_type in ("FAILED", "CRASHED") for task in run.tasks
        )

    def _masked(self, run: RunRecord, child: RunRecord, others: int) -> Reason:
        call = self._evidence.call(child)
        raised = call is not None and call.text == "subflow"
        made = "its error was caught" if raised else "its state was neither raised nor returned"
        if run.end is not None and child.end is not None and child.end > run.end:
            made = "nobody waited for it"
        more = f" (and {others} more)" if others else ""
        said = f"Completed although {child.flow}{more} {child.state}: {made}"
        return Reason(said, run.end, self._evidence.called_at(child), run.id)

    def _masked_task(self, run: RunRecord, task: TaskRecord) -> list[Reason]:
        here = f"Completed although task {task.name} {task.state}: its state was not looked at"
        errors = [n for n in self._evidence.of(run, "error") if n.task_run_id == task.id]
        reasons = [Reason(here, run.end, errors[-1].where if errors else "", run.id)]
        return reasons + (self._cause(errors[-1]) if errors else [])

    # -- never -------------------------------------------------------------------------------------

    def running(self, run: RunRecord) -> list[Reason]:
        """Of a run that has begun and has not ended."""
        here = Reason(f"{run.state}, and has not ended", run.states[-1].timestamp, "", run.id)
        ended = self._ended_from_outside(run)
        if ended:
            return [here, Reason("nobody reports what became of it", None, "", run.id), *ended]
        parent = run.parent
        if parent is not None and run.deployment is None and parent.final:
            gone = Reason(f"its parent is {parent.state}, and its process gone", parent.end)
            return [here, gone, *self._follow(parent)] if parent.failed else [here, gone]
        waits = [child for child in run.children if not child.final]
        if waits:
            line = self._evidence.called_at(waits[-1])
            on = Reason(f"it waits for {waits[-1].flow}", None, line, run.id)
            return [here, on, *self._follow(waits[-1])]
        return [here, *self._struck(run)]


def _task(error: Note, run: RunRecord | None) -> Reason:
    tasks = {task.id: task for task in run.tasks} if run is not None else {}
    task = tasks.get(error.task_run_id) if error.task_run_id is not None else None
    name = "a task" if task is None else f"task {task.name}"
    return Reason(f"{name} raised {error.text}", error.at, error.where, error.run_id)


def _of_one_process(run: RunRecord) -> Iterator[RunRecord]:
    """A run, and those that share its process: the run that it is a subflow of, and its subflows."""
    root = run
    while root.deployment is None and root.parent is not None:
        root = root.parent
    waiting = [root]
    while waiting:
        one = waiting.pop(0)
        yield one
        waiting += [child for child in one.children if child.deployment is None]


def _ended_at(run: RunRecord) -> datetime:
    assert run.end is not None, "it has ended"
    return run.end


def _told(message: str) -> str:
    """What a state's message says beside Prefect's own words."""
    return message.partition("encountered an exception: ")[2] or message
