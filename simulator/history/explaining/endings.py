"""Why a run ended badly, or has not ended: what it raised, what was done to it, what it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulator.history.explaining.causes import MOMENT, Causes, Follow, by_task
from simulator.history.explaining.delays import Delays
from simulator.history.explaining.evidence import Evidence, fault
from simulator.history.explaining.explanation import Reason
from simulator.history.records import RunRecord


class Endings:
    """Explains runs that have ended badly, and those that never will end."""

    def __init__(self, evidence: Evidence, causes: Causes, delays: Delays, follow: Follow) -> None:
        self._evidence = evidence
        self._causes = causes
        self._delays = delays
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
            return [
                self._ended(run, f"it raised {error.text}", error.where),
                *self._causes.of(error),
            ]
        return self._returned(run)

    def _ended(self, run: RunRecord, why: str, where: str = "") -> Reason:
        return Reason(f"{run.state}: {why}", run.end, where, run.id)

    def _returned(self, run: RunRecord) -> list[Reason]:
        """It has ended badly without raising: by what it returned, or before its code began."""
        here = self._ended(run, _said(run.message or "no message"))
        errors = [note for note in self._evidence.of(run, "error") if note.task_run_id is not None]
        for child in reversed(run.children):
            if child.failed:
                return [here, *self._follow(child)]
        if errors:
            return [here, by_task(errors[-1], run), *self._causes.of(errors[-1])]
        return [here, *(self._causes.struck(run) or self._logged(run))]

    def _logged(self, run: RunRecord) -> list[Reason]:
        """The last error in the log of a run whose process ended with an exit code of its own accord."""
        if not (run.message or "").startswith("Process exited with status code"):
            return []
        errors = self._evidence.logged(run)
        if not errors:
            return []
        text = _raised(errors[-1].message)
        return [Reason(f"its log says {text}", errors[-1].timestamp, "", run.id)]

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
            if child.end is None or child.end >= end - MOMENT:
                line = self._evidence.called_at(child)
                waited = Reason(f"it waited for {child.flow}", child.start, line, child.id)
                if child.start is None:
                    return [waited, *self._follow(child)]
                return [waited, *(self._took_long(child) or self._began_late(child))]
        return []

    def _began_late(self, child: RunRecord) -> list[Reason]:
        late = self._delays.lateness(child)
        return (
            [replace(late[0], sentence=f"{child.flow} {late[0].sentence}"), *late[1:]]
            if late
            else []
        )

    def _crashed(self, run: RunRecord) -> list[Reason]:
        ended = self._ended_from_outside(run)
        if ended:
            return [self._ended(run, _said(run.message or "")), *ended]
        error = self._evidence.error(run)
        if error is None:
            return self._returned(run)
        cause = self._causes.of(error)
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
            if other.state_type != "FAILED" or other.end is None or run.end is None:
                continue
            if other.end <= run.end:
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
        for state in run.states:
            _, by, automation = (state.message or "").partition("Cancelled by Automation ")
            if by:
                name = self._evidence.automation(automation)
                who = Reason(f"{name} cancelled it", state.timestamp, "", run.id)
                return [self._ended(run, "an automation asked for it"), who]
        if run.parent is not None and run.parent.state_type in ("CANCELLED", "CANCELLING"):
            return [self._ended(run, "with its parent"), *self._follow(run.parent)]
        return [self._ended(run, _said(run.message or "by the server"))]

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
        return [here, *self._causes.struck(run)]


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


def _said(message: str) -> str:
    """What a state's message says, on one line: its first, and if that announces more, the others."""
    first, *others = message.splitlines() or [""]
    return " ".join([first, *(line.strip() for line in others)]) if first.endswith(":") else first


def _raised(logged: str) -> str:
    """The exception of a traceback that was logged, which follows its last line of code; or else the
    first line.
    """
    lines = logged.strip().splitlines()
    code = [number for number, line in enumerate(lines) if line.startswith("  ")]
    return next(iter(lines[code[-1] + 1 :] if code else lines), lines[-1])
