"""Gives each run of a deployment a default connection of its own: that of `duckdb.sql` and its kin.

DuckDB 2.0 has one for the whole interpreter, a database in memory. A real process has its own, and so
what one run has created, attached or set there was there in the next one. Scripts, and flows that a
test calls directly, have that of the test. What is patched, and why:

- `duckdb.default_connection`, which those functions of the module ask that are written in Python, and
  `set_default_connection`;
- `duckdb.connect`, for `":default:"`;
- the functions of the module that take a `connection=` in C: they are given it. (What runs a statement
  is a method of that connection anyway, by `simulator.patches.duckdb`.)

`tests/process/test_files.py` fails without each of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import _duckdb
import duckdb

from simulator.patches.duckdb import OF_DEFAULT, of_duckdb
from simulator.patches.replacing import replacing, wherever_imported
from simulator.process import Own, Process, current_process


@contextmanager
def installed() -> Iterator[None]:
    """Keep default connections apart, for one simulation."""
    connect = duckdb.connect
    default_connection = duckdb.default_connection
    set_default_connection = duckdb.set_default_connection

    def made(process: Process) -> list[Any]:
        held: list[Any] = []
        process.releases.append(lambda: _close(held))
        return held

    own = Own(made)

    def held() -> list[Any] | None:
        """Where the calling code's process keeps its own; None if it has that of the test."""
        process = current_process()
        return own.of(process) if process is not None and process.supervised else None

    @functools.wraps(default_connection)
    def default_connection_() -> Any:
        mine = held()
        if mine is None:
            return default_connection()
        if not mine or not _is_open(mine[0]):
            mine[:] = [connect(":memory:")]
        return mine[0]

    @functools.wraps(set_default_connection)
    def set_default_connection_(connection: Any) -> None:
        mine = held()
        if mine is None:
            set_default_connection(connection)
        else:
            mine[:] = [connection]

    @functools.wraps(connect)
    def connect_(database: Any = ":memory:", *args: Any, **kwargs: Any) -> Any:
        if database == ":default:" and held() is not None:
            return default_connection_()
        return connect(database, *args, **kwargs)

    def given(function: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(function)
        def given_connection(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("connection") is None and held() is not None:
                kwargs["connection"] = default_connection_()
            return function(*args, **kwargs)

        return given_connection

    names = {
        "connect": connect_,
        "default_connection": default_connection_,
        "set_default_connection": set_default_connection_,
        **{name: given(vars(duckdb)[name]) for name in _TAKING_A_CONNECTION},
    }
    # What is written in Python asks the module in C for the default connection alone.
    found = wherever_imported(duckdb, names)
    asked = [one for one in found if one[0] is not _duckdb or one[1] == "default_connection"]
    with replacing(asked):
        yield


def _close(connections: list[Any]) -> None:
    for con in connections:
        with suppress(duckdb.Error):
            con.interrupt()
        with suppress(duckdb.Error):
            con.close()


def _is_open(con: Any) -> bool:
    with suppress(duckdb.ConnectionException):
        _cursor(con).close()
        return True
    return False


_cursor = duckdb.DuckDBPyConnection.cursor

_TAKING_A_CONNECTION = [
    name
    for name, function in vars(duckdb).items()
    if name not in OF_DEFAULT
    and isinstance(function, type(duckdb.connect))  # written in C
    and "connection: _duckdb.DuckDBPyConnection | None = None" in (function.__doc__ or "")
]
