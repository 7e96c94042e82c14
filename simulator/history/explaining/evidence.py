"""What is known of a history's runs beside their states: its notes, by run, and its gates, by name."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from simulator.errors import SimulationError
from simulator.history.attempts import Attempts
from simulator.history.explaining.explanation import Reason
from simulator.history.gates import Gate
from simulator.history.history import History
from simulator.history.notes import Note
from simulator.history.records import LogRecord, RunRecord
from simulator.workers import first_of


class Evidence:
    """The notes and gates of a history, to be looked up."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.happened = history.runs()
        self.runs = {run.id: run for run in history.runs(upcoming=True)}
        self.attempts = Attempts(history)
        self.numbered = {note.number: note for note in history.notes}
        self._of_runs: dict[UUID, list[Note]] = defaultdict(list)
        for note in history.notes:
            if note.run_id is not None:
                self._of_runs[note.run_id].append(note)

    def of(self, run: RunRecord, kind: str) -> list[Note]:
        """The notes of a kind about a run and its tasks, oldest first."""
        return [note for note in self._of_runs[run.id] if note.kind == kind]

    def call(self, run: RunRecord) -> Note | None:
        """How and where a run was called."""
        return next(iter(self.of(run, "call")), None)

    def called_at(self, run: RunRecord) -> str:
        call = self.call(run)
        return "" if call is None else call.where

    def errors(self, run: RunRecord, task_run_id: UUID | None) -> list[Note]:
        """The exceptions that have left the code of a run's task, or its own, oldest first; not that by
        which Prefect suspends a run.
        """
        paused = any(state.type == "PAUSED" for state in run.states)
        return [
            note
            for note in self.of(run, "error")
            if note.task_run_id == task_run_id and not (paused and note.text == "Pause")
        ]

    def error(self, run: RunRecord) -> Note | None:
        """The exception that last left a run's own code."""
        errors = self.errors(run, None)
        return errors[-1] if errors else None

    def logged(self, run: RunRecord) -> list[LogRecord]:
        """The errors in a run's log, oldest first; none if the log is gone."""
        try:
            return [line for line in run.logs if line.level >= logging.ERROR and line.message]
        except SimulationError:
            return []

    def around(self, run: RunRecord, error: Note) -> Note | None:
        """The last fault of what lies around all runs, a file, a table or code, that an exception of a
        run is about: it names it, or the run was given its path, or the exception comes out of it and
        its deployment was given it; or of a node of dbt that the same task has run, or any of the run's
        where the exception left the flow's own code.
        """
        given = json.dumps(run.parameters, default=str)
        found = None
        for note in self.history.notes:
            over = note.until is not None and note.until <= error.at
            if note.kind == "fault" and note.at <= error.at and not over:
                named = any(name in error.text for name in note.details.get("named", ()))
                path = note.details.get("path")
                code = run.deployment in (None, note.details.get("target")) and any(
                    error.where.startswith(f"{one}:") for one in note.details.get("code", ())
                )
                here = error.task_run_id in (None, note.task_run_id)
                node = note.run_id == run.id and "node" in note.details and here
                if named or code or node or (path is not None and json.dumps(path) in given):
                    found = note
        return found

    def changed_reading(self, run: RunRecord, error: Note | None = None) -> Note | None:
        """The last time that a run, up to an exception, has read what a fault has changed."""
        found = [
            note for note in self.of(run, "read") if error is None or note.number < error.number
        ]
        return found[-1] if found else None

    def exited(self, run: RunRecord) -> datetime | None:
        """When the process of a run was gone, if a fault has let it stay longer than the run."""
        late = [note.until for note in self.of(run, "fault") if note.details.get("exits")]
        return late[-1] if late else None

    def gate(self, kind: str, name: str | None) -> Gate | None:
        gates = (gate for gate in self.history.gates if (gate.kind, gate.name) == (kind, name))
        return next(gates, None)

    def automation(self, asked: str) -> str:
        """What an automation that cancels runs is called, by its id."""
        for gate in self.history.gates:
            if gate.kind == "automation" and str(gate.id) == asked:
                return f"the automation {gate.name!r}"
        return f"the automation {asked}"

    def pauses(self, deployment: str) -> list[Note]:
        """The last fault that paused a deployment, if one has."""
        found = [
            note
            for note in self.history.notes
            if note.kind == "fault" and note.text == f"pauses {deployment}"
        ]
        return found[-1:]

    def paused(self, gate: str, since: datetime, until: datetime) -> Iterator[Note]:
        """When a work pool or a work queue was paused in a span of time, the last time first."""
        for note in reversed(self.history.notes):
            end = note.until or self.history.now
            if (note.kind, note.text) == ("paused", gate) and note.at < until and end > since:
                yield note

    def away(self, work_pool: str, since: datetime, until: datetime) -> Iterator[Note]:
        """When a worker of a pool was away in a span of time."""
        for note in self.history.notes:
            if note.kind == "away" and note.text == work_pool:
                end = note.until or self.history.now
                if note.at < until and end > since:
                    yield note

    def workers(self, work_pool: str, since: datetime, until: datetime) -> dict[str, int | None]:
        """The workers of a pool that were there all the time in a span of time, with their limits."""
        there: dict[str, int | None] = {first_of(work_pool): None}
        for note in self.history.notes:
            if (note.kind, note.text) == ("worker", work_pool) and note.at <= since:
                there[note.details["worker"]] = note.details["limit"]
        for note in self.away(work_pool, since, until):
            there.pop(worker_of(note), None)
        return there

    def unanswered(self, work_pool: str, since: datetime, until: datetime) -> Iterator[Note]:
        """Which requests of a pool's worker faults have struck in a span of time."""
        for note in self.history.notes:
            asked = (note.details.get("caller"), note.details.get("name"))
            if note.kind == "fault" and asked == ("worker", work_pool) and since <= note.at < until:
                yield note


def worker_of(note: Note) -> str:
    """The name of the worker that was away, says a note."""
    return str(note.details.get("worker", first_of(note.text)))


def of_reading(read: Note, changed: Note) -> Reason:
    """That a run has read what a fault has changed: that what followed came of it nobody has seen."""
    number = changed.details.get("fault")
    said = f"it had read what fault {number} changed: {changed.text}"
    return Reason(said, read.at, read.where, read.run_id, number)


def fault(note: Note) -> Reason:
    """A fault that fired, as a reason: the end of every chain that leads to it."""
    number = note.details.get("fault")
    return Reason(f"fault {number}: {note.text}", note.at, note.where, note.run_id, number)
