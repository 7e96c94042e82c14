"""Lets DuckDB refuse a file that another simulated process holds, in its own words.

DuckDB 2.0. It locks a file against other processes, of the operating system; within one it opens a
file once and lets all connections share it. What is patched, and why:

- `duckdb.connect`: whoever opens a file that another simulated process holds is told so. A database
  in memory that has a name is that of its process.
- `execute` and `sql` of connections, for `attach` and `detach`.

A file that a real process holds is refused by DuckDB itself, to either side.

`tests/process/test_files.py` fails without each of them.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from simulator.patches.duckdb import of_duckdb
from simulator.patches.replacing import replacing, wherever_imported
from simulator.process import DuckDBFiles, Holding, Process, current_process

unlocked: Callable[..., duckdb.DuckDBPyConnection] = duckdb.connect
"""As DuckDB has it: for the simulation's own look at a file."""


@contextmanager
def installed() -> Iterator[None]:
    """Keep files apart, for one simulation."""
    files = DuckDBFiles()
    connection: Any = duckdb.DuckDBPyConnection
    real_cursor = connection.cursor
    connect = duckdb.connect
    known: set[Process] = set()

    def check(file: str, process: Process | None, read_only: bool) -> None:
        refused = files.conflict(file, process, read_only)
        if refused is not None:
            raise duckdb.IOException(refused)

    def is_open(con: Any) -> bool:
        try:
            real_cursor(con).close()
        except duckdb.Error:
            return False
        return True

    def hold(file: str, con: Any, read_only: bool, name: str | None = None) -> None:
        process = current_process()
        files.hold(file, Holding(process, con, read_only, name, lambda: is_open(con)))
        if process is not None and process not in known:
            known.add(process)
            process.releases.append(lambda: let_go(process))

    def let_go(process: Process) -> None:
        for con in files.connections_of(process):
            with suppress(duckdb.Error):
                con.interrupt()
            with suppress(duckdb.Error):
                con.close()

    @functools.wraps(connect)
    def connect_(database: Any = ":memory:", read_only: bool = False, config: Any = None) -> Any:
        process = current_process()
        options = {} if config is None else config
        read_only = read_only or str(options.get("access_mode", "")).upper() == "READ_ONLY"
        file = _file(database)
        if file is None:
            if (
                process is not None
                and str(database).startswith(":memory:")
                and database != ":memory:"
            ):
                database = f"{database} of process {process.pid}"
            return connect(database, read_only=read_only, config=options)
        check(file, process, read_only)
        con = connect(database, read_only=read_only, config=options)
        hold(file, con, read_only)
        return con

    def watching(method: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def watched(con: Any, query: Any = None, *args: Any, **kwargs: Any) -> Any:
            given = kwargs.get("query", query)
            found = _ATTACH.search(given) if isinstance(given, str) else None
            file = None if found is None else _file(found["file"])
            if found is None or file is None:
                result = method(con, *([] if query is None else [query]), *args, **kwargs)
                if isinstance(given, str) and (left := _DETACH.search(given)):
                    files.detach(current_process(), left["name"].strip('"'))
                return result
            read_only = "read_only" in (found["options"] or "").lower()
            check(file, current_process(), read_only)
            result = method(con, query, *args, **kwargs)
            name = found["name"] or Path(file).stem
            hold(file, con, read_only, name.strip('"'))
            return result

        return watched

    methods = [
        (connection, name, watching(vars(connection)[name])) for name in ("execute", "sql", "query")
    ]
    with replacing([*wherever_imported(duckdb, {"connect": connect_}), *methods]):
        yield


def _file(database: Any) -> str | None:
    """The real path of a database that is a file here; None for one in memory or elsewhere."""
    text = os.fsdecode(os.fspath(database)) if database else ""
    if not text or text.startswith(":memory:") or re.match(r"[a-z0-9+]{2,}:", text, re.IGNORECASE):
        return None
    return str(Path(text).expanduser().resolve())


_ATTACH = re.compile(
    r"""^\s*attach\s+(?:or\s+replace\s+)?(?:database\s+)?(?:if\s+not\s+exists\s+)?'(?P<file>[^']+)'
    (?:\s+as\s+(?P<name>"[^"]+"|\w+))?\s*(?P<options>\([^)]*\))?""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_DETACH = re.compile(
    r'^\s*detach\s+(?:database\s+)?(?:if\s+exists\s+)?(?P<name>"[^"]+"|\w+)',
    re.IGNORECASE | re.MULTILINE,
)
