"""Why a run is Completed: what went wrong all the same, hidden or healed."""

from __future__ import annotations

from datetime import datetime

from simulator.history.explaining.causes import Causes, Follow
from simulator.history.explaining.evidence import Evidence, fault
from simulator.history.explaining.explanation import Reason
from simulator.history.notes import Note
from simulator.history.records import FINAL_TYPES, RunRecord, TaskRecord


class Completed:
    """Explains runs that ended well, or so it seems."""

    def __init__(self, evidence: Evidence, causes: Causes, follow: Follow) -> None:
        self._evidence = evidence
        self._causes = causes
        self._follow = follow

    def reasons(self, run: RunRecord) -> list[Reason]:
        """What went wrong all the same."""
        for look in (
            self._masking,
            self._above_a_hidden_one,
            self._tried,
            self._with_a_healed_task,
        ):
            if reasons := look(run):
                return reasons
        if struck := self._causes.struck(run):
            return [Reason("Completed, though it was struck", run.end, "", run.id), *struck]
        ordered = self._ordered_under_a_fault(run)
        if ordered is not None:
            return [Reason("Completed, but ordered amiss", run.end, "", run.id), fault(ordered)]
        if read := self._causes.read(run):
            return [Reason("Completed, on what was changed", run.end, "", run.id), *read]
        return (
            self._after_an_end(run)
            or self._above_a_healed_one(run)
            or [Reason("Completed, and nothing in it went wrong", run.end, "", run.id)]
        )

    # -- hidden ------------------------------------------------------------------------------------

    def _masking(self, run: RunRecord) -> list[Reason]:
        """A child or a task that failed, and that no later attempt has answered."""
        attempts = self._evidence.attempts
        failed = [one for one in run.children if one.failed and not attempts.answered(run, one)]
        if failed:
            first = min(failed, key=_ended_at)
            return [self._masked(run, first, len(failed) - 1), *self._follow(first)]
        for task in run.tasks:
            if _failed(task) and not attempts.answered(run, task):
                return self._masked_task(run, task)
        return []

    def _above_a_hidden_one(self, run: RunRecord) -> list[Reason]:
        """A child that hides what failed in it."""
        for child in run.children:
            if child.completed and self._hides(child):
                here = Reason(f"Completed, as is its child {child.flow}", run.end, "", run.id)
                return [here, *self._follow(child)]
        return []

    def _hides(self, run: RunRecord) -> bool:
        attempts = self._evidence.attempts
        return any(True for _ in attempts.failures(run)) or any(
            _failed(task) and not attempts.answered(run, task) for task in run.tasks
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
        # Whether its error was caught or its state looked at, or not, is nowhere to be seen.
        errors = self._evidence.errors(run, task.id)
        raised = f" ({errors[-1].text})" if errors else ""
        here = f"Completed although task {task.name} {task.state}{raised}: the flow went on"
        reasons = [Reason(here, run.end, errors[-1].where if errors else "", run.id)]
        return reasons + (self._causes.of(errors[-1]) if errors else [])

    # -- healed ------------------------------------------------------------------------------------

    def _tried(self, run: RunRecord) -> list[Reason]:
        """An attempt of the run itself that failed: it raised, or returned what had failed."""
        again = f"Completed at attempt {run.run_count}, after"
        errors = self._evidence.errors(run, None)
        if time_out := _time_out(run, errors):
            where = errors[-1].where if errors else ""
            here = Reason(f"{again} a time-out: {time_out}", run.end, where, run.id)
            return [here, *self._causes.struck(run)]
        if errors:
            here = Reason(f"{again} {errors[-1].text}", run.end, errors[-1].where, run.id)
            return [here, *self._causes.of(errors[-1])]
        if run.run_count < 2:
            return []
        attempts = self._evidence.attempts
        for child in reversed(run.children):
            if child.failed and attempts.answered(run, child):
                said = f"{again} {child.flow} {child.state}"
                line = self._evidence.called_at(child)
                return [Reason(said, run.end, line, run.id), *self._follow(child)]
        for task in reversed(run.tasks):
            if _failed(task) and attempts.answered(run, task):
                raised = self._evidence.errors(run, task.id)
                here = Reason(f"{again} task {task.name} {task.state}", run.end, "", run.id)
                return [here, *(self._causes.of(raised[-1]) if raised else [])]
        return []

    def _with_a_healed_task(self, run: RunRecord) -> list[Reason]:
        for task in run.tasks:
            errors = self._evidence.errors(run, task.id)
            if errors and task.run_count > 1:
                said = f"Completed, with task {task.name} at attempt {task.run_count}"
                after = f"{said}, after {errors[-1].text}"
                here = Reason(after, run.end, errors[-1].where, run.id)
                return [here, *self._causes.of(errors[-1])]
        return []

    def _after_an_end(self, run: RunRecord) -> list[Reason]:
        """Somebody or something has set an end from outside, and its process went on."""
        ended = next((state for state in run.states[:-1] if state.type in FINAL_TYPES), None)
        if ended is None or run.states[run.states.index(ended) + 1].type == "SCHEDULED":
            return []  # it has been begun anew
        here = f"Completed, though it had been {ended.name} before, while its process went on"
        orders = [note for note in self._evidence.of(run, "order") if note.at <= ended.timestamp]
        said = f": {ended.message}" if ended.message else ""
        set_so = Reason(f"{ended.name} was set{said}", ended.timestamp, "", run.id)
        if orders:
            last = orders[-1]
            set_so = Reason(f"{last.text} was asked for", last.at, last.where, run.id)
        return [Reason(here, run.end, "", run.id), set_so]

    def _above_a_healed_one(self, run: RunRecord) -> list[Reason]:
        for child in run.children:
            if child.completed and self._was_healed(child):
                said = f"Completed, as is its child {child.flow} in the end"
                return [Reason(said, run.end, "", run.id), *self._follow(child)]
        return []

    def _was_healed(self, run: RunRecord) -> bool:
        return bool(
            run.run_count > 1 or self._with_a_healed_task(run) or self._above_a_healed_one(run)
        )

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


def _failed(task: TaskRecord) -> bool:
    return task.state_type in ("FAILED", "CRASHED")


def _time_out(run: RunRecord, errors: list[Note]) -> str:
    """What is said of the time-out by which its last attempt but one was ended; empty if none was."""
    again = [state for state in run.states if state.name == "AwaitingRetry"]
    cancelled = not errors or errors[-1].text.startswith(("CancelledError", "FlowRunTimeoutError"))
    said = (again[-1].message or "") if again and cancelled else ""
    return said if "exceeded timeout of" in said else ""


def _ended_at(run: RunRecord) -> datetime:
    assert run.end is not None, "it has ended"
    return run.end
