"""Notes which run has written which table: from its statements, and from dbt's results.

DuckDB's own parser tells statements and their kinds apart, but not the tables; sqlglot does.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import duckdb
from duckdb import StatementType

from simulator.caveats import tell
from simulator.history import Journal

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from simulator.faults import Readings

_WRITING = {
    StatementType.INSERT: "",
    StatementType.UPDATE: "",
    StatementType.DELETE: "",
    StatementType.MERGE_INTO: "",
    StatementType.COPY: "",
    StatementType.CREATE: r"\b(table|view)\b",
    StatementType.ALTER: r"\brename\b",
    StatementType.MULTI: "",  # several in place of one, such as a table made of a pivot
}
"""The kinds of statements, as DuckDB's own parser tells them, that may write a table, and what they say
if they do.
"""

_TRANSACTION = re.compile(
    r"\s*(?:(?P<begin>begin|start)|(?P<commit>commit|end)|rollback|abort)\b", re.IGNORECASE
)

_BUILT = ("model", "seed", "snapshot")
"""What dbt makes a table or a view of."""


class Writes:
    """Takes notes of tables that were written, each with the run that has, once for an instant.

    `run()` is the id of the run that the calling code belongs to. A statement of a transaction counts
    when that is committed. What dbt does is told by its results, with what it failed to build. The
    tables that statements have read are told to `readings`, if any is watched, and before they are run
    what they may read of files.
    """

    def __init__(
        self, journal: Journal, run: Callable[[], UUID | None], readings: Readings
    ) -> None:
        self._journal = journal
        self._run = run
        self._readings = readings
        self._open: weakref.WeakKeyDictionary[duckdb.DuckDBPyConnection, list[Lineage]] = (
            weakref.WeakKeyDictionary()
        )
        self._in_dbt = 0

    def asked(self, statement: str, parameters: Iterable[object]) -> None:
        """Take note of the damaged files that a statement is to read."""
        self._readings.asked(statement, parameters)

    def saw(self, con: duckdb.DuckDBPyConnection, text: str) -> None:
        """Take note of what a statement, or several, have written."""
        if self._in_dbt and self._run() is None:
            return  # one of dbt's own
        for statement in con.extract_statements(text):
            if self._readings.of_tables and (seen := lineage(statement.query)) is not None:
                self._readings.read(seen.read)
            says = _WRITING.get(statement.type)
            if says is not None and re.search(says, statement.query, re.IGNORECASE):
                found = self._lineage(statement.query)
                if con in self._open:
                    self._open[con].append(found)
                else:
                    self._wrote(found, con)
            elif statement.type == StatementType.TRANSACTION:
                self._transaction(con, statement.query)

    def _transaction(self, con: duckdb.DuckDBPyConnection, statement: str) -> None:
        word = _TRANSACTION.match(statement)
        if word is not None and word["begin"]:
            self._open[con] = []
            return
        waiting = self._open.pop(con, [])
        if word is not None and word["commit"]:
            read: dict[str, dict[str, None]] = {}  # by table that was written, once each
            for found in waiting:
                for table in found.written:
                    read.setdefault(table, {}).update(dict.fromkeys(found.read))
            for table, others in read.items():
                self._wrote(Lineage((table,), tuple(others)), con)

    @contextmanager
    def dbt(self) -> Iterator[None]:
        """An invocation of dbt, whose statements say less than its results."""
        self._in_dbt += 1
        try:
            yield
        finally:
            self._in_dbt -= 1

    def built(self, results: Iterable[Any], con: duckdb.DuckDBPyConnection | None) -> None:
        """Take note of what dbt has built, failed to build, and skipped. `con` is its own connection, as
        long as it keeps one.
        """
        nodes = [one for one in results if _resource(one) in _BUILT]
        failed = [one for one in results if str(one.status) in ("error", "fail", "runtime error")]
        for one in nodes:
            node, status = one.node, str(one.status)
            code = getattr(node, "compiled_code", None) or ""
            said = str(one.message or "").strip().partition("\n")[0]
            if status == "skipped" and failed:
                said = f"{failed[0].node.name} failed: {failed[0].message}".partition("\n")[0]
            if status == "success":
                read = self._lineage(code).read if code else ()
                name = f"{node.schema}.{node.alias or node.name}"
                self._wrote(Lineage((name,), read), con)
            else:
                tried = {"status": status, "said": said}
                self._note(f"{node.schema}.{node.alias or node.name}", tried)

    def _lineage(self, statement: str) -> Lineage:
        found = lineage(statement)
        if found is None:
            shown = " ".join(statement.split())
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            tell("lineage", f"sqlglot cannot read {shown!r}: explain(table=) knows nothing of it")
        return found or Lineage((), ())

    def _wrote(self, found: Lineage, con: duckdb.DuckDBPyConnection | None) -> None:
        for table in found.written:
            details: dict[str, Any] = {
                "status": "success",
                "read": [one for one in found.read if one != table],
            }
            rows = None if con is None else _rows(con, table)
            self._note(table, details if rows is None else details | {"rows": rows})

    def _note(self, table: str, details: dict[str, Any]) -> None:
        self._journal.here("write", table, run_id=self._run(), details=details)


def _rows(con: duckdb.DuckDBPyConnection, table: str) -> int | None:
    """How many rows a table has; None of a view, and of what a new connection does not see."""
    schema, _, name = table.rpartition(".")
    known = "select 1 from duckdb_tables() where schema_name = ? and table_name = ?"
    count = f"select count(*) from {_quoted(schema)}.{_quoted(name)}"
    # On a connection beside: the statement's own result is its caller's.
    with suppress(duckdb.Error), con.cursor() as beside:
        if _execute(beside, known, [schema, name]).fetchone() is not None:
            rows: int = _execute(beside, count).fetchall()[0][0]
            return rows
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_execute = duckdb.DuckDBPyConnection.execute
"""As it is outside of simulations."""


class Lineage(NamedTuple):
    """The tables that a statement writes and reads, as "schema.table"."""

    written: tuple[str, ...]
    read: tuple[str, ...]


@lru_cache(maxsize=1024)
def lineage(statement: str) -> Lineage | None:
    """Which tables one statement in DuckDB's SQL writes, and which it reads; None if nobody can tell."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(statement, dialect="duckdb")
    except SqlglotError:
        return None
    if isinstance(tree, exp.Command):
        return None
    targets = list(_targets(tree))
    others = [one for one in tree.find_all(exp.Table) if not any(one is it for it in targets)]
    own = {one.alias.lower() for one in tree.find_all(exp.CTE)}
    return Lineage(_names(targets, set()), _names(others, own))


def _targets(tree: Expr) -> Iterator[Expr]:
    """What of the tables that a statement names it writes."""
    from sqlglot import exp

    match tree:
        case exp.Insert() | exp.Update() | exp.Delete() | exp.Merge():
            yield _table(tree.this)
        case exp.TruncateTable():
            yield from tree.expressions
        case exp.Copy() if tree.args.get("kind"):  # from a file
            yield _table(tree.this)
        case exp.Create() if tree.kind in ("TABLE", "VIEW") and tree.expression:
            # One that may have been there is not known to be written.
            if not tree.args.get("exists") and not tree.find(exp.TemporaryProperty):
                yield _table(tree.this)
        case exp.Alter():
            for renamed in tree.find_all(exp.AlterRename):
                if not renamed.this.db:
                    renamed.this.set("db", tree.this.args.get("db"))
                yield renamed.this


def _table(target: Expr) -> Expr:
    """The table of a target, which may have columns beside it."""
    from sqlglot import exp

    return target.this if isinstance(target, exp.Schema) else target


def _names(tables: Iterable[Expr], own: Collection[str]) -> tuple[str, ...]:
    """Tables as "schema.table", each once, without functions and what a query defines as its `own`."""
    from sqlglot import exp

    return tuple(
        {
            f"{one.text('db') or 'main'}.{one.name}": None
            for one in tables
            if isinstance(one.this, exp.Identifier)
            and (one.text("db") or one.name.lower() not in own)
        }
    )


def _resource(result: Any) -> str:
    kind = getattr(getattr(result, "node", None), "resource_type", "")
    return str(getattr(kind, "value", kind))
