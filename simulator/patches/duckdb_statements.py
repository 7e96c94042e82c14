"""Tells of each statement of DuckDB's connections, before it is run and once it has been.

DuckDB 2.0 keeps no record of who has written a table. What is patched, and why:

- `execute`, `executemany`, `sql` and `query` of connections: they are given a statement's text;
- `read_csv`, `read_json`, `read_parquet` and their older names: they are given paths;
- `begin`, `commit` and `rollback`: what they say in SQL is told, since what is rolled back was never
  written.

`tests/warehouse/test_writes.py` fails without each of them but the second line, without which
`tests/history/test_explaining_readings.py` does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import duckdb

from simulator.patches.duckdb import OF_FILES, of_duckdb
from simulator.patches.replacing import replacing

Asked = Callable[[str, Iterable[object]], None]
"""Takes the text of what is to be run, and its parameters: what fails of them is not seen."""

Saw = Callable[[duckdb.DuckDBPyConnection, str], None]
"""Takes the connection, and the text of what it has run."""


def told(asked: Asked, saw: Saw) -> AbstractContextManager[None]:
    """Tell `asked` of each statement before it is run and `saw` afterwards, for one simulation."""
    connection: Any = duckdb.DuckDBPyConnection

    def telling(method: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def told_of(con: Any, *args: Any, **kwargs: Any) -> Any:
            statement = args[0] if args else kwargs.get("query")
            if isinstance(statement, str):
                asked(statement, _values((*args[1:], *kwargs.values())))
            result = method(con, *args, **kwargs)
            if isinstance(statement, str):
                saw(con, statement)
            return result

        return told_of

    def reading(method: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def told_of(con: Any, *args: Any, **kwargs: Any) -> Any:
            asked("", _values(args[:1] or (kwargs.get("path_or_buffer"),)))
            return method(con, *args, **kwargs)

        return told_of

    def naming(method: Callable[..., Any], word: str) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(method)
        def told_of(con: Any, *args: Any, **kwargs: Any) -> Any:
            result = method(con, *args, **kwargs)
            saw(con, word)
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


def _values(given: Iterable[Any]) -> Iterator[object]:
    """What is given, and what lists and dicts among it hold: a statement's parameters."""
    for one in given:
        if isinstance(one, dict):
            yield from one.values()
        elif isinstance(one, list | tuple):
            yield from one
        else:
            yield one
