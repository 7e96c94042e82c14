"""Promises about tables, from what was seen of them whenever their file changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.arguments import checked, kinds
from simulator.errors import SimulationError
from simulator.history import History, Note, RunRecord, moment
from simulator.promises.promise import Break, Lost, Promise
from simulator.promises.renewals import renewals


@dataclass(frozen=True)
class Fresh(Promise):
    """The newest value of a table's column is never older than `within`."""

    table: str
    column: str
    within: timedelta

    def check(self, history: History) -> None:
        seen = [note for note in history.notes if note.kind == "table"]
        if not self._notes(history):
            known = sorted({name for note in seen for name in note.details["known"]})
            near = difflib.get_close_matches(self.table, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise SimulationError(f"no table {self.table!r} was ever there{hint}")
        wrong = next((note for note in self._notes(history) if "wrong" in note.details), None)
        if wrong is not None:
            raise SimulationError(wrong.details["wrong"])

    def breaks(self, history: History) -> Iterator[Break]:
        notes = self._notes(history)
        for note, until in zip(notes, [*(one.at for one in notes[1:]), history.now], strict=True):
            newest = note.details["newest"]
            held = note.at if newest is None else datetime.fromisoformat(newest) + self.within
            if held < until:
                since = max(held, note.at)
                what = "it is empty" if newest is None else f"its newest row is of {newest}"
                begin = since - self.within if newest is None else held - self.within
                yield Break(since, until, what, tuple(_amiss(history, begin, since)))

    def lost(self, history: History, broken: datetime) -> Lost | None:
        """When the last run had to begin that could have renewed the table in time: as long before the
        break as the quickest of its renewals in this history took. None if nothing has renewed it, and
        for what was too old, or gone, at once.
        """
        notes = self._notes(history)
        newest = [note.details["newest"] for note in notes if note.at <= broken][-1]
        if newest is None or datetime.fromisoformat(newest) + self.within != broken:
            return None
        took = renewals(history, notes)
        if not took:
            return None
        at, quickest = broken - min(took), str(min(took)).partition(".")[0]
        of = f"the quickest of {len(took)}" if len(took) > 1 else "the only one"
        said = f"from {moment(at)} on it could no longer be kept: a run that renews it takes {quickest}"
        return Lost(at, f"{said}, {of} in this history")

    def _notes(self, history: History) -> list[Note]:
        asked = (self.table, self.column)
        return [
            note
            for note in history.notes
            if note.kind == "table" and (note.text, note.details.get("column")) == asked
        ]


@checked(table=kinds.text, column=kinds.text, within=kinds.span(above_zero=True))
def fresh(table: str, column: str, within: timedelta) -> Fresh:
    """The newest value of `column`, a date or a timestamp (UTC if it says nothing else), of the table
    "schema.table" in the simulation's warehouse is never older than `within`, from when the table is
    first there. Upper and lower case are one, as for DuckDB.
    """
    if not re.fullmatch(r"\w+\.\w+", table):
        raise SimulationError(f"table={table!r} must be a table's full name, such as 'mart.orders'")
    name = f"{table} is never older than {within}, by its {column}"
    return Fresh(name, table, column, within)


def _amiss(history: History, since: datetime, until: datetime) -> Iterator[RunRecord]:
    """The runs that ended badly in a span of time, or were due and had not begun, oldest first."""
    for run in history.runs():
        due = run.scheduled is not None and since <= run.scheduled < until
        late = due and (run.start is None or run.start > until)
        if late or (run.failed and run.end is not None and since <= run.end <= until):
            yield run
