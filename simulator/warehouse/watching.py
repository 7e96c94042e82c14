"""Sees what becomes of tables: at every instant at which the DuckDB file has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import duckdb

from simulator.clock import VirtualClock
from simulator.history import Journal
from simulator.warehouse.warehouse import Warehouse

_HEADERS = slice(4096, 3 * 4096)
"""Where a DuckDB file says how often it has been written: two headers in turn."""


class WatchedTables:
    """Takes notes of columns of tables. A source of the clock's events.

    `warehouse()` is the simulation's. A file is known to have changed by its headers, which DuckDB
    writes anew at each checkpoint, and by the length of what is not yet in it.
    """

    def __init__(
        self, clock: VirtualClock, warehouse: Callable[[], Warehouse], journal: Journal
    ) -> None:
        self._clock = clock
        self._warehouse = warehouse
        self._journal = journal
        self._watched: list[tuple[str, str]] = []
        self._last: dict[tuple[str, str], object] = {}
        self._seen: object = None

    def watch(self, table: str, column: str) -> None:
        """Take notes of a column from now on; of a table "schema.table", which need not be there."""
        self._watched.append((table, column))
        self._seen = None

    def next_instant(self) -> int | None:
        if not self._watched:
            return None
        return None if self._fingerprint() == self._seen else self._clock.instant

    def fire(self) -> None:
        self._seen = self._fingerprint()
        if self._seen is None:
            return
        known = [f"{schema}.{name}" for schema, name in self._warehouse().query(_TABLES)]
        self._seen = self._fingerprint()  # looking may have moved what was not yet in the file
        for table, column in self._watched:
            details: dict[str, object] = {"known": known, "column": column}
            if table.lower() in map(str.lower, known):  # as DuckDB takes names
                details |= self._newest(table, column)
            else:
                details["column"] = None  # there is nothing to see yet
            if self._last.get((table, column)) != details:
                self._last[table, column] = details
                self._journal.note("table", table, details=details)

    def _newest(self, table: str, column: str) -> dict[str, object]:
        schema, _, name = table.partition(".")
        asked = column.replace('"', '""')
        try:
            sql = f'select max("{asked}") from "{schema}"."{name}"'
            [(newest,)] = self._warehouse().query(sql)
        except duckdb.Error as error:
            said = re.split(r"\n", str(error))[0]
            return {"newest": None, "wrong": f"column={column!r} of {table}: {said}"}
        if newest is not None and not isinstance(newest, date):
            return {"newest": None, "wrong": f"column={column!r} of {table} holds no instants"}
        if isinstance(newest, date) and not isinstance(newest, datetime):
            newest = datetime(newest.year, newest.month, newest.day, tzinfo=UTC)
        elif newest is not None and newest.tzinfo is None:
            newest = newest.replace(tzinfo=UTC)
        if newest is None:
            return {"newest": None}
        newest = newest.replace(microsecond=newest.microsecond // 1000 * 1000)
        return {"newest": newest.astimezone(UTC).isoformat()}

    def _fingerprint(self) -> object:
        path = self._warehouse().path
        try:
            with path.open("rb") as file:
                file.seek(_HEADERS.start)
                headers = file.read(_HEADERS.stop - _HEADERS.start)
        except OSError:
            return None
        log = path.with_name(f"{path.name}.wal")
        try:
            return headers, log.stat().st_size
        except OSError:
            return headers, 0


_TABLES = """
select schema_name, table_name from duckdb_tables() where not temporary
union all select schema_name, view_name from duckdb_views() where not internal
order by all
"""
