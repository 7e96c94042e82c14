"""Why a table is old: which run wrote it last, and which should have since then and did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from simulator.arguments import unknown
from simulator.history.explaining.evidence import Evidence, fault
from simulator.history.explaining.explanation import Explanation, Reason, title
from simulator.history.explaining.why import explain
from simulator.history.history import History
from simulator.history.notes import Note
from simulator.history.records import RunRecord


@dataclass(frozen=True)
class TableExplanation:
    """Why a table is as old as it is.

    `written` says which run wrote it last, when and on which line. `missed` has each later run that
    should have written it and did not, newest first, with its own explanation: one of a flow or a
    deployment that wrote it at another time, or that called who did. `idle` are those of them that are
    Completed and in which nothing went wrong, as titles, newest first. `read` are the tables that it
    was made from when it was last written, as far as the SQL or dbt told. `paused` says which deployment
    that writes it has been paused by a fault since then.
    """

    table: str
    written: Reason
    missed: tuple[Explanation, ...] = ()
    idle: tuple[str, ...] = ()
    read: tuple[TableExplanation, ...] = ()
    paused: tuple[Reason, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.table}: {self.written}"
        for why in self.missed:
            first, *others = str(why).splitlines()
            yield f"  not by {first}"
            yield from (f"  {line}" for line in others)
        if self.idle:
            more = f" and {len(self.idle) - 1} more" if len(self.idle) > 1 else ""
            yield f"  not by {self.idle[0]}{more}: Completed, and wrote nothing to it"
        yield from (f"  not since {one}" for one in self.paused)
        if not self.missed and not self.idle and not self.paused:
            yield "  no later run was to write it"
        for one in self.read:
            first, *others = str(one).splitlines()
            yield f"  made from {first}"
            yield from (f"  {line}" for line in others)


def explain_table(history: History, table: str) -> TableExplanation:
    """Say why a table, "schema.table" or a name in the schema "main", is as old as it is. Upper and
    lower case are one.

    Raises SimulationError, with the nearest known name, if no run has written a table of that name,
    or has tried to.
    """
    writes = _Writes(history)
    name = writes.called(table if "." in table else f"main.{table}")
    if name not in writes.of:
        raise unknown("table written by a DuckDB connection or by dbt, named", name, writes.of)
    return writes.explain(name, set())


class _Writes:
    """The notes about tables of a history, by table."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._evidence = Evidence(history)
        self._runs = {run.id: run for run in history.runs(upcoming=True)}
        self.of: dict[str, list[Note]] = {}
        self._spelt: dict[str, str] = {}
        for note in history.notes:
            if note.kind == "write":
                self.of.setdefault(self.called(note.text), []).append(note)

    def called(self, table: str) -> str:
        """A table as it was first spelt: for DuckDB upper and lower case are one."""
        return self._spelt.setdefault(table.lower(), table)

    def explain(self, table: str, seen: set[str]) -> TableExplanation:
        seen.add(table)
        done = [note for note in self.of[table] if note.details["status"] == "success"]
        missed = [(run, self._why(run, table)) for run in self._missed(table, done)]
        return TableExplanation(
            table,
            self._written(done[-1] if done else None),
            tuple(why for _, why in missed if why is not None),
            tuple(title(run) for run, why in missed if why is None),
            tuple(self.explain(one, seen) for one in self._read(done) if one not in seen),
            tuple(self._pauses(table, done)),
        )

    def _pauses(self, table: str, done: list[Note]) -> Iterator[Reason]:
        """The faults that have paused deployments which write the table, and were not over by then."""
        callers = [run for note in self.of[table] for run in self._callers(note)]
        for name in dict.fromkeys(run.deployment for run in callers if run.deployment):
            for note in self._evidence.pauses(name):
                if not done or note.until is None or note.until > done[-1].at:
                    yield fault(note)

    def _written(self, last: Note | None) -> Reason:
        if last is None:
            return Reason("never written")
        run = self._run_of(last)
        by = "outside of all runs" if run is None else f"by {title(run)}"
        return Reason(f"last written {by}", last.at, last.where, last.run_id)

    def _read(self, done: list[Note]) -> list[str]:
        """What was read for the last writing; a run may have needed several statements for it."""
        found = [
            one
            for note in done
            if (note.run_id, note.at) == (done[-1].run_id, done[-1].at)
            for one in note.details.get("read", ())
        ]
        return [one for one in dict.fromkeys(map(self.called, found)) if one in self.of]

    def _missed(self, table: str, done: list[Note]) -> list[RunRecord]:
        """The innermost of the later runs that are of a kind that writes the table, newest first."""
        kinds = {
            (run.flow, run.deployment) for note in self.of[table] for run in self._callers(note)
        }
        wrote = {note.run_id for note in done}
        since = None
        if done:
            (*_, outermost) = (None, *self._callers(done[-1]))
            since = _due(outermost, done[-1].at)
        later = [
            run
            for run in self._history.runs()
            if (run.flow, run.deployment) in kinds
            and (since is None or _due(run, since) > since)
            and wrote.isdisjoint(one.id for one in _whole(run))
        ]
        ids = {run.id for run in later}
        innermost = [run for run in later if ids.isdisjoint(one.id for one in run.descendants())]
        return sorted(innermost, key=lambda run: _due(run, self._history.now), reverse=True)

    def _why(self, run: RunRecord, table: str) -> Explanation | None:
        """Why a run did not write the table; None if it is Completed as if nothing were the matter."""
        tried = [note for note in self.of[table] if note.run_id == run.id]
        if run.completed and tried:
            note = tried[-1]
            what = "skipped" if note.details["status"] == "skipped" else "could not build"
            said = note.details["said"]
            here = f"Completed, although dbt {what} it" + (f": {said}" if said else "")
            return Explanation(run.id, title(run), (Reason(here, note.at, note.where, run.id),))
        why = explain(self._history, run)
        fine = run.completed and len(why.reasons) == 1
        return None if fine else why

    def _callers(self, note: Note) -> Iterator[RunRecord]:
        """The run that a note is about, and those that called it, the outermost last."""
        run = self._run_of(note)
        while run is not None:
            yield run
            run = run.parent

    def _run_of(self, note: Note) -> RunRecord | None:
        return None if note.run_id is None else self._runs.get(note.run_id)


def _whole(run: RunRecord) -> Iterator[RunRecord]:
    yield run
    yield from run.descendants()


def _due(run: RunRecord | None, otherwise: datetime) -> datetime:
    """When a run was to start."""
    return otherwise if run is None else run.scheduled or run.start or otherwise
