"""The results of scenarios as one DuckDB file, to be queried long after the simulations are gone.

    results = Results.open(folder / "random-child-failure.duckdb")
    results.add("random-child-failure", "plain subflow", 0, history, measures, verdicts)
    merge([folder / "random-child-failure.duckdb", ...], into=folder / "results.duckdb")

A DuckDB file has one writing process at a time. So each scenario process writes a file of its own,
and the process that started them merges those, one after the other, as they are finished. A file
is open only while it is written to, and each variant is one transaction: whatever dies, and
whenever, leaves whole variants and no lock.

What stands in it, column by column, is told in `tables.py`, and in the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from simulator.caveats import Caveat
from simulator.errors import SimulationError
from simulator.history.findings import FindingRecord
from simulator.history.history import History
from simulator.history.measures.figures import Measure
from simulator.history.tables import (
    KEY,
    SCHEMA,
    TABLES,
    check_tables,
    columns_of,
    finding_row,
    rows_of,
    utc,
)

if TYPE_CHECKING:
    import duckdb  # 60 ms, which a test suite without simulations need not pay


class Verdict(Protocol):
    """What `Results.add` reads of the verdict on one expectation (see `scenario.Verdict`)."""

    @property
    def expectation(self) -> str:
        """What was to hold."""

    @property
    def passed(self) -> bool:
        """Whether it did."""

    @property
    def message(self) -> str:
        """The failed assertion, else empty."""

    @property
    def where(self) -> str:
        """File and line of the failed assertion, else empty."""

    @property
    def runs(self) -> Sequence[str]:
        """The runs that the failed assertion was looking at."""

    @property
    def explained(self) -> Sequence[str]:
        """Why each of them ended so."""

    @property
    def broken_at(self) -> datetime | None:
        """When a promise was first broken."""

    @property
    def lost_at(self) -> datetime | None:
        """From when on that could no longer be averted."""


class Results:
    """A results file, to which one variant after the other is added.

    Made by `Results.open`. It holds neither a connection nor a lock between two calls.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Results:
        """The results file at `path`, with all its tables; it and its folder are made if missing.

        Raises SimulationError, one line, if the folder cannot be made or written to, if another
        process has the file locked, or if it is something else than a results file.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SimulationError(
                f"cannot make the folder {str(path.parent)!r} for results: {error.strerror}"
            ) from error
        with _connected(path) as connection, _transaction(connection):
            _make_tables(connection)
            check_tables(connection, path)
        return cls(path)

    def add(
        self,
        scenario: str,
        variant: str,
        seed: int,
        history: History | None,
        measures: Iterable[Measure] = (),
        verdicts: Iterable[Verdict] = (),
        *,
        error: str = "",
        days: float | None = None,
        real_seconds: float | None = None,
        caveats: Iterable[Caveat] = (),
        findings: Iterable[FindingRecord] = (),
        question: str = "",
        lesson: str = "",
        made_with: str = "",
        command: str = "",
    ) -> None:
        """Add one simulation, all of it or nothing; it replaces an earlier one with the same key.

        `history` is None if the variant broke before there was one, `error` then says how. Runs
        that a schedule has made for later than the history reaches are left out. Raises
        SimulationError as `open` does.
        """
        judged = list(verdicts)
        passed = not error and all(verdict.passed for verdict in judged)
        until = utc(history.now) if history is not None else None
        rows: dict[str, list[tuple[Any, ...]]] = {
            "variants": [
                (passed, error, until, days, real_seconds, question, lesson, made_with, command)
            ],
            **rows_of(history),
            "measures": [(m.name, m.value, m.unit, m.low, m.high, m.n) for m in measures],
            "verdicts": list(map(_judged, judged)),
            "caveats": [(one.kind, one.message, one.where, one.run) for one in caveats],
            "findings": list(map(finding_row, findings)),
        }
        key = (scenario, variant, seed)
        with _connected(self.path) as connection, _transaction(connection):
            for table in TABLES:
                connection.execute(f"delete from {table} where {_SAME_KEY}", key)
                _insert(connection, table, [(*key, *row) for row in rows[table]])

    def put_in_order(self, variants: Iterable[tuple[str, str]]) -> None:
        """Let these variants, each with its scenario, come last and in this order, in which they are
        read from then on; others come as they did. Raises SimulationError as `open` does.
        """
        place = {variant: number for number, variant in enumerate(variants)}
        with _connected(self.path) as connection, _transaction(connection):
            rows = connection.execute("select * from variants order by rowid").fetchall()
            ordered = sorted(rows, key=lambda row: place.get((row[0], row[1]), -1))
            if ordered != rows:
                connection.execute("delete from variants")
                _insert(connection, "variants", ordered)

    def judge(self, scenario: str, variant: str, seed: int, verdicts: Iterable[Verdict]) -> None:
        """Add verdicts to a simulation that is in the file. Raises SimulationError as `open` does."""
        judged = list(verdicts)
        key = (scenario, variant, seed)
        with _connected(self.path) as connection, _transaction(connection):
            _insert(connection, "verdicts", [(*key, *_judged(one)) for one in judged])
            if not all(one.passed for one in judged):
                connection.execute(f"update variants set passed = false where {_SAME_KEY}", key)

    def find(
        self,
        scenario: str,
        variant: str,
        seed: int,
        findings: Iterable[FindingRecord],
    ) -> None:
        """Let a simulation in the file have these findings, and no others. Raises SimulationError as
        `open` does.
        """
        key = (scenario, variant, seed)
        with _connected(self.path) as connection, _transaction(connection):
            connection.execute(f"delete from findings where {_SAME_KEY}", key)
            _insert(connection, "findings", [(*key, *finding_row(one)) for one in findings])

    def forget(self, scenario: str, seed: int) -> None:
        """Remove all variants of a scenario under a seed. Raises SimulationError as `open` does."""
        with _connected(self.path) as connection, _transaction(connection):
            for table in TABLES:
                connection.execute(
                    f"delete from {table} where scenario = ? and seed = ?", (scenario, seed)
                )


def _judged(verdict: Verdict) -> tuple[Any, ...]:
    return (
        verdict.expectation,
        verdict.passed,
        verdict.message,
        verdict.where,
        list(verdict.runs),
        list(verdict.explained),
        utc(verdict.broken_at),
        utc(verdict.lost_at),
    )


def merge(parts: Iterable[Path], into: Path) -> None:
    """Copy what stands in the files `parts` into the file `into`, one transaction for each part.

    A simulation that `into` holds already is replaced. A part that is missing is passed over: its
    process died before the first variant was done. A part that cannot be read does not keep the
    others from being merged; SimulationError names it afterwards. Parts are left as they are.
    """
    import duckdb

    results = Results.open(into)
    unreadable: list[str] = []
    for part in parts:
        if not part.exists():
            continue
        with _connected(results.path) as connection:
            try:
                connection.execute(f"attach {_quoted(str(part))} as part (read_only)")
            except duckdb.Error as error:
                unreadable.append(_reason(part, error))
                continue
            with _transaction(connection):
                for table in TABLES:
                    _copy(connection, table)
    if unreadable:
        raise SimulationError("; ".join(unreadable))


_SAME_KEY = " and ".join(f"{column} = ?" for column in KEY)
_HELD_BY = re.compile(r"\(PID \d+\)")


@contextmanager
def _connected(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for as long as it is needed; what DuckDB has against it becomes one line."""
    import duckdb

    try:
        with duckdb.connect(str(path)) as connection:
            yield connection
    except duckdb.Error as error:
        raise SimulationError(_reason(path, error)) from error


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: whatever ends it early, also Ctrl-C, ends it without a commit."""
    connection.execute("begin")
    yield
    connection.execute("commit")


def _reason(path: Path, error: duckdb.Error) -> str:
    """One line about what DuckDB says of a file."""
    text = " ".join(str(error).split())
    if "Conflicting lock" in text:
        holder = _HELD_BY.search(text)
        by = f"another process {holder[0]}" if holder else "another process"
        return f"results file {str(path)!r} is locked by {by}; close it there, or write elsewhere"
    return f"cannot use the results file {str(path)!r}: {text}"


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for table, columns in TABLES.items():
        if columns_of(connection, table):
            continue
        described = ", ".join(f"{name} {kind}" for name, kind, _ in columns)
        connection.execute(f"create table {table} ({described})")
        for name, _, meaning in columns:
            connection.execute(f"comment on column {table}.{name} is {_quoted(meaning)}")
        connection.execute(f"comment on table {table} is 'schema {SCHEMA}'")


def _copy(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Copy one table of the attached part, in place of what it holds under the same keys."""
    key = f"({', '.join(KEY)})"
    names = ", ".join(name for name, _, _ in TABLES[table])
    connection.execute(f"delete from {table} where {key} in (select {key} from part.variants)")
    connection.execute(f"insert into {table} ({names}) select {names} from part.{table}")


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows at once, column by column: row by row takes half a millisecond each."""
    if not rows:
        return
    columns = TABLES[table]
    picked = ", ".join(f"unnest(?::{kind}[])" for _, kind, _ in columns)
    connection.execute(
        f"insert into {table} select {picked}",
        [list(values) for values in zip(*rows, strict=True)],
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
