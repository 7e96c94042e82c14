"""Tells of each statement of DuckDB's connections, once it has been run.

DuckDB 2.0 keeps no record of who has written a table. What is patched, and why:

- `execute`, `executemany`, `sql` and `query` of connections: they are given a statement's text;
- `read_csv`, `read_json`, `read_parquet` and their older names: what they read is told in SQL;
- `begin`, `commit` and `rollback`: what they say in SQL is told, since what is rolled back was never
  written.

`tests/warehouse/test_writes.py` fails without each of them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import duckdb

from simulator.patches.duckdb import OF_FILES, of_duckdb
from simulator.patches.replacing import replacing

Saw = Callable[[duckdb.DuckDBPyConnection, str], None]
"""Takes the connection, and the text of what it has run."""


def told(saw: Saw) -> AbstractContextManager[None]:
    """Tell `saw` of each statement, for one simulation."""
    connection: Any = duckdb.DuckDBPyConnection

    def telling(method: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def told_of(con: Any, *args: Any, **kwargs: Any) -> Any:
            result = method(con, *args, **kwargs)
            statement = args[0] if args else kwargs.get("query")
            if isinstance(statement, str):
                saw(con, statement)
            return result

        return told_of

    def naming(method: Callable[..., Any], word: str) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def told_of(con: Any, *args: Any, **kwargs: Any) -> Any:
            result = method(con, *args, **kwargs)
            saw(con, word)
            return result

        return told_of

    def reading(method: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def told_of(con: Any, *args: Any, **kwargs: Any) -> Any:
            result = method(con, *args, **kwargs)
            source = next(iter((*args, *kwargs.values())), None)
            for path in source if isinstance(source, list) else [source]:
                if isinstance(path, str | os.PathLike):
                    quoted = os.fsdecode(path).replace("'", "''")
                    saw(con, f"from '{quoted}'")
            return result

        return told_of

    texts = ("execute", "executemany", "sql", "query")
    words = ("begin", "commit", "rollback")
    return replacing(
        [
            *((connection, name, telling(vars(connection)[name])) for name in texts),
            *((connection, name, reading(vars(connection)[name])) for name in OF_FILES),
            *((connection, name, naming(vars(connection)[name], name)) for name in words),
        ]
    )
