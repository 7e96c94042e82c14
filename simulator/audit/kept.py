"""The results file of an audit: what a cell's simulation was like, and what became of its fault.

It is a results file as `simulate run` writes one, in which the project is the scenario and each cell a
variant, with what became of it as its findings. So `simulate explain` and `simulate report` read it,
too. One table more, `cells`, says what there is to be done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from simulator.audit.cells import Cell
from simulator.audit.judging import Outcome
from simulator.audit.recorded import recorded
from simulator.audit.table import SERIOUS, Found
from simulator.caveats import Caveat
from simulator.errors import SimulationError
from simulator.history import History, Results, kept_histories
from simulator.scenarios import Verdict
from simulator.versions import in_one_line

BASE = "without a fault"
"""The variant with which all cells are compared."""

UNLOADED = "not loaded"
"""The kind of the caveats that say what is left out."""


@dataclass(frozen=True)
class Of:
    """What an audit is of: a project by its name, under a seed, from `start` for so many `days`, and the
    `fingerprint` of all that it is made of. What differs in one of the last three is another audit.
    """

    name: str
    seed: int
    start: str
    days: float
    fingerprint: str


class Kept:
    """The results file of one audit, which goes on where it was broken off.

    `shielded` makes a context in which no signal disturbs DuckDB; `command` says what opens a cell, or
    for None what repeats the audit.
    Raises SimulationError if the file is none, cannot be written, or is locked; but what becomes of a
    cell waits until nobody looks into it.
    """

    def __init__(
        self,
        path: Path,
        of: Of,
        shielded: Callable[[], AbstractContextManager[None]] = nullcontext,
        command: Callable[[str | None], str] = lambda _: "",
    ) -> None:
        self._command = command
        self._of = of
        self._path = path
        self._shielded = shielded
        self._unwritten: list[tuple[Found, History | None, str, float]] = []
        self._results = Results.open(path)
        self._sql(_TABLE)
        same = (of.name, of.seed, of.start, of.days, of.fingerprint)
        known = f"select * from cells where {_SAME} and start = ? and days = ? and fingerprint = ?"
        if not self._sql(known, same):
            self._sql(f"delete from cells where {_SAME}", same[:2])

    def base(self) -> tuple[History, tuple[str, ...]] | None:
        """The history without a fault, and the promises broken in it; None if it is not there."""
        rows = self._sql(
            f"select broken from cells where {_SAME} and cell = ?",
            (self._of.name, self._of.seed, BASE),
        )
        history = kept_histories(self._path).get((self._of.name, BASE, self._of.seed))
        return (history, tuple(rows[0][0])) if rows and history is not None else None

    def cells(self) -> list[Cell]:
        """All cells, done or not, in the order of the table."""
        return [
            Cell(step, column, json.loads(fault), run_id)
            for step, column, fault, run_id in self._sql(
                "select step, failure, fault, run_id from cells"
                f" where {_SAME} and cell != ? order by number",
                (self._of.name, self._of.seed, BASE),
            )
        ]

    def found(self) -> list[Found]:
        """What is known of the cells that are done."""
        outcomes: dict[str, list[Outcome]] = {}
        for cell, *values in self._sql(
            f"select variant, kind, said, seconds, run_id from findings where {_SAME} order by rowid",
            (self._of.name, self._of.seed),
        ):
            outcomes.setdefault(cell, []).append(Outcome(*values))
        return [
            Found(cell, tuple(outcomes[cell.name]))
            for cell in self.cells()
            if cell.name in outcomes
        ]

    def history(self, cell: str) -> History | None:
        """The history of a cell; None if its simulation gave no answer."""
        return kept_histories(self._path).get((self._of.name, cell, self._of.seed))

    def begin(
        self,
        history: History,
        broken: Sequence[str],
        cells: Iterable[Cell],
        seconds: float,
        unloaded: Iterable[str] = (),
    ) -> None:
        """Put down what there is to be done, with what it is to be compared, and what is not in it."""
        self._results.forget(self._of.name, self._of.seed)
        self._add(BASE, history, None, "", seconds, [Caveat(UNLOADED, text) for text in unloaded])
        self._sql(f"delete from cells where {_SAME}", (self._of.name, self._of.seed))
        self._insert(0, BASE, "", "", {}, None, broken)
        for number, cell in enumerate(cells, 1):
            self._insert(
                number, cell.name, cell.step, cell.column, dict(cell.fault), cell.run_id, ()
            )

    def unloaded(self) -> list[str]:
        """What could not be loaded, and so is not audited, a line each."""
        said = self._sql(
            f"select message from caveats where {_SAME} and variant = ? and kind = ? order by rowid",
            (self._of.name, self._of.seed, BASE, UNLOADED),
        )
        return [text for (text,) in said]

    def add_clock_changes(self, found: Iterable[Found]) -> None:
        """Put down what a change of clocks does, in place of what is known of it."""
        with self._shielded():
            self._results.find(self._of.name, BASE, self._of.seed, recorded(found))

    def add(self, found: Found, history: History | None, error: str, seconds: float) -> None:
        """Put down what became of a cell, at once or as soon as it can be."""
        self._unwritten.append((found, history, error, seconds))
        with suppress(SimulationError):
            self.write()

    def write(self) -> None:
        """Put down what waits. Raises SimulationError if that is not possible now."""
        with self._shielded():
            while self._unwritten:
                self._write(*self._unwritten[0])
                self._unwritten.pop(0)

    def _write(self, found: Found, history: History | None, error: str, seconds: float) -> None:
        self._add(found.cell.name, history, found, error, seconds)

    def _add(
        self,
        variant: str,
        history: History | None,
        found: Found | None,
        error: str,
        seconds: float,
        caveats: Iterable[Caveat] = (),
    ) -> None:
        findings = list(recorded([found] if found is not None else []))
        verdicts = [Verdict(one.expectation, one.kind not in SERIOUS) for one in findings]
        self._results.add(
            self._of.name,
            variant,
            self._of.seed,
            history,
            verdicts=verdicts if history is not None else (),
            error=error,
            days=self._of.days,
            real_seconds=seconds,
            caveats=caveats,
            findings=findings,
            question="What becomes of one fault at a time?",
            made_with=in_one_line(),
            command=self._command(variant if found is not None else None),
        )

    def _insert(
        self,
        number: int,
        cell: str,
        step: str,
        column: str,
        fault: dict[str, Any],
        run_id: UUID | None,
        broken: Sequence[str],
    ) -> None:
        of = self._of
        self._sql(
            "insert into cells values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                of.name, of.seed, of.start, of.days, of.fingerprint, number, cell, step, column,
                json.dumps(fault), run_id, list(broken),
            ),
        )  # fmt: skip

    def _sql(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with duckdb.connect(str(self._path)) as connection:
                return connection.execute(statement, values).fetchall()
        except duckdb.Error as error:
            said = " ".join(str(error).split())
            raise SimulationError(
                f"cannot use the results file {str(self._path)!r}: {said}"
            ) from None


_SAME = "scenario = ? and seed = ?"

_TABLE = """
    create table if not exists cells (
        scenario varchar, seed bigint, start varchar, days double, fingerprint varchar,
        number integer, cell varchar, step varchar, failure varchar, fault json, run_id uuid,
        broken varchar[]
    )
"""
