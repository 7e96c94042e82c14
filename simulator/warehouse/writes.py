"""Notes which run has written which table: from the text of its statements, and from dbt's results."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import duckdb

from simulator.history import Journal

_NAME = r'(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+)){0,2}'
_WRITES = re.compile(
    rf"""\b(?: insert\s+(?:or\s+\w+\s+)? into | update(?=\s+{_NAME}\s+(?:as\s+\w+\s+)?set\b)
    | delete\s+from | truncate(?:\s+table)? | merge\s+into | copy(?=\s+{_NAME}\s*(?:\([^)]*\)\s*)?from\b)
    | create\s+(?:or\s+replace\s+)?(?:table|view)(?!\s+if\b)(?=\s+{_NAME}\s*(?:\([^()]*\)\s*)?as\b)
    )\s+(?P<name>{_NAME})""",
    re.IGNORECASE | re.VERBOSE,
)
_TABLE = rf"(?>{_NAME})(?!\s*\()"  # not a function
_READS = re.compile(
    rf"\b(?:from|join|using)\s+(?P<names>{_TABLE}(?:(?:\s+(?:as\s+)?\w+)?\s*,\s*{_TABLE})*)",
    re.IGNORECASE,
)
_NAMED_QUERY = re.compile(r'(?:\bwith|,)\s+(?:recursive\s+)?("[^"]+"|\w+)\s+as\s*\(', re.IGNORECASE)
_EACH = re.compile(rf"(?:^|,)\s*({_NAME})")
_NOT_CODE = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TRANSACTION = re.compile(
    r"\s*(?:(?P<begin>begin|start\s+transaction)|(?P<commit>commit|end)|(?P<rollback>rollback|abort))\b",
    re.IGNORECASE,
)
_BUILT = ("model", "seed", "snapshot")
"""What dbt makes a table or a view of."""


class Writes:
    """Takes notes of tables that were written, each with the run that has, once for an instant.

    `run()` is the id of the run that the calling code belongs to. A statement of a transaction counts
    when that is committed. What dbt does is told by its results, with what it failed to build.
    """

    def __init__(self, journal: Journal, run: Callable[[], UUID | None]) -> None:
        self._journal = journal
        self._run = run
        self._open: weakref.WeakKeyDictionary[
            duckdb.DuckDBPyConnection, list[tuple[str, tuple[str, ...]]]
        ] = weakref.WeakKeyDictionary()
        self._in_dbt = 0

    def saw(self, con: duckdb.DuckDBPyConnection, text: str) -> None:
        """Take note of what a statement, or several, have written."""
        if self._in_dbt and self._run() is None:
            return  # one of dbt's own
        for statement in _NOT_CODE.sub("''", text).split(";"):
            word = _TRANSACTION.match(statement)
            if word is None:
                for written in written_by(statement):
                    self._open[con].append(written) if con in self._open else self._wrote(*written)
            elif word["begin"]:
                self._open[con] = []
            else:
                waiting = self._open.pop(con, [])
                for written in waiting if word["commit"] else ():
                    self._wrote(*written)

    @contextmanager
    def dbt(self) -> Iterator[None]:
        """An invocation of dbt, whose statements say less than its results."""
        self._in_dbt += 1
        try:
            yield
        finally:
            self._in_dbt -= 1

    def built(self, results: Iterable[Any]) -> None:
        """Take note of what dbt has built, failed to build, and skipped."""
        nodes = [one for one in results if _resource(one) in _BUILT]
        failed = [one for one in results if str(one.status) in ("error", "fail", "runtime error")]
        for one in nodes:
            node, status = one.node, str(one.status)
            code = _NOT_CODE.sub("''", getattr(node, "compiled_code", None) or "")
            said = str(one.message or "").strip().partition("\n")[0]
            if status == "skipped" and failed:
                said = f"{failed[0].node.name} failed: {failed[0].message}".partition("\n")[0]
            if status == "success":
                self._wrote(f"{node.schema}.{node.alias or node.name}", read_by(code))
            else:
                tried = {"status": status, "said": said}
                self._note(f"{node.schema}.{node.alias or node.name}", tried)

    def _wrote(self, table: str, read: tuple[str, ...]) -> None:
        self._note(table, {"status": "success", "read": [one for one in read if one != table]})

    def _note(self, table: str, details: dict[str, Any]) -> None:
        self._journal.here("write", table, run_id=self._run(), details=details)


def written_by(statement: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The table that one statement writes, as "schema.table", if any, and those that it reads. The
    statement has no comments and no texts in it.
    """
    found = _WRITES.search(statement)
    if found is not None:
        others = statement[: found.start()] + statement[found.end() :]
        yield full_name(found["name"]), read_by(others)


def read_by(query: str) -> tuple[str, ...]:
    """The tables that a query names, as "schema.table", without those that it defines itself."""
    own = {name.strip('"').lower() for name in _NAMED_QUERY.findall(query)}
    listed = ",".join(one["names"] for one in _READS.finditer(query))
    named = dict.fromkeys(_EACH.findall(listed))
    return tuple(full_name(one) for one in named if one.strip('"').lower() not in own)


def full_name(name: str) -> str:
    """A name in SQL, which may be quoted, or have a database before it, as "schema.table"."""
    parts = [part.strip('"') for part in re.findall(r'"[^"]+"|\w+', name)]
    return ".".join(parts[-2:] if len(parts) > 1 else ["main", *parts])


def _resource(result: Any) -> str:
    kind = getattr(getattr(result, "node", None), "resource_type", "")
    return str(getattr(kind, "value", kind))
