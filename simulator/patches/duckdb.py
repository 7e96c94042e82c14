"""Makes SQL's own clock in DuckDB read the virtual one, on every connection of this process.

DuckDB 2.0 takes `now()` from the operating system and offers no switch for it; a Python function
registered in its place needs numpy, and would give another instant to every row. But a temporary
macro shadows a built-in function of its name, also inside views, defaults, checks and other macros.
So each connection gets such macros before its first statement, and the instant, as a variable that
they read, before every statement: within one statement `now()` stands still, as it should.

Both belong to the connection and neither is ever stored: a view or a default that says `now()` says
`now()` in the file, and means real time to whoever opens it later. Connections that outlive the
simulation lose both at its end.

What remains: `system.main.now()`, spelt out, is real, and told; a long transaction sees `now()` move on
from statement to statement; and a statement costs some 0.2 ms more, a connection 3 ms once.

`tests/patches/test_patches_duckdb.py` holds a test for each that fails when it is not needed any longer.
"""

from __future__ import annotations

import functools
import re
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import _duckdb
import duckdb

from simulator import caveats
from simulator.patches.replacing import replacing

_NOW = "getvariable('virtual_now')"
_MILLISECONDS = f"lpad(to_hex(epoch_ms({_NOW})), 12, '0')"
_MACROS = {
    "now()": _NOW,
    "get_current_timestamp()": _NOW,  # what `current_timestamp` is read as
    "transaction_timestamp()": _NOW,
    "current_date()": f"{_NOW}::date",
    "today()": f"{_NOW}::date",
    "get_current_time()": f"{_NOW}::timetz",  # `current_time`
    "current_localtimestamp()": f"{_NOW}::timestamp",  # `localtimestamp`
    "current_localtime()": f"{_NOW}::timestamp::time",  # `localtime`
    "uuidv7()": f"(substr({_MILLISECONDS}, 1, 8) || '-' || substr({_MILLISECONDS}, 9) || '-7'"
    " || substr(gen_random_uuid()::varchar, 16))::uuid",
}
# The age of one instant is up to today; that between two needs no clock.
_AGE = f"(a) as system.main.age({_NOW}::date::timestamp, a), (a, b) as system.main.age(a, b)"
_SHADOW = ";".join(
    [f"create or replace temp macro {call} as ({body})" for call, body in _MACROS.items()]
    + [f"create or replace temp macro age{_AGE}"]
)
_UNSHADOW = ";".join(
    [f"drop macro if exists temp.{call.removesuffix('()')}" for call in [*_MACROS, "age()"]]
    + ["reset variable virtual_now"]
)

_SPELT_OUT = re.compile(
    rf"\bsystem\.main\.({'|'.join(call.removesuffix('()') for call in _MACROS)})\s*\(",
    re.IGNORECASE,
)

# How statements reach the engine: `execute` and `executemany`; `begin`, so that the macros are not
# made inside a transaction that may be rolled back; and what `sql` and relations are built on.
_ENTRANCES = ("execute", "executemany", "begin", "_prepare_script", "_submit")

OF_FILES = ("read_csv", "from_csv_auto", "read_json", "read_parquet", "from_parquet")
"""What reads files without a statement."""

OF_DEFAULT = ("execute", "executemany", "begin", "commit", "rollback", "sql", "query", *OF_FILES)
"""What the module offers of these, and of what else other patches look at, on the default connection."""


def of_duckdb(function: Any) -> Callable[..., Any]:
    """The same function, in a module of DuckDB's by name, for what stands around a statement.

    A query may name a DataFrame by its variable, which DuckDB looks for in the frame that has called it:
    the nearest one that is not of its own package.
    """
    code, closure = function.__code__, function.__closure__
    space = function.__globals__ | {"__name__": f"duckdb.{function.__module__}"}
    made = types.FunctionType(code, space, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(made, function)


def _of_default(name: str) -> Callable[..., Any]:
    """A function of the module, as the method of the default connection that it stands for."""

    @of_duckdb
    @functools.wraps(vars(duckdb)[name])
    def called(*args: Any, connection: Any = None, **kwargs: Any) -> Any:
        if connection is None and name in OF_FILES:
            connection = kwargs.pop("conn", None)
        con = duckdb.default_connection() if connection is None else connection
        return getattr(con, name)(*args, **kwargs)

    return called


def _look_at(*given: object) -> None:
    for text in given:
        if isinstance(text, str) and (found := _SPELT_OUT.search(text)):
            caveats.tell(
                "real time",
                f"DuckDB shows the machine's time for {found[0]}): leave out where it is from",
            )


@contextmanager
def virtual_now(now: Callable[[], datetime]) -> Iterator[None]:
    """Make `now()` and its kin in DuckDB follow `now`, an aware clock, until this ends."""
    connection: Any = duckdb.DuckDBPyConnection
    execute = connection.execute
    shadowed: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
    defaults: set[duckdb.DuckDBPyConnection] = set()

    def refresh(con: duckdb.DuckDBPyConnection) -> None:
        # A connection that is closed, busy or in a failed transaction says so itself, better.
        with suppress(duckdb.Error):
            execute(con, "set variable virtual_now = ?", [now()])
            if con not in shadowed:
                execute(con, _SHADOW)
                shadowed.add(con)

    def refreshing(entrance: Callable[..., Any]) -> Callable[..., Any]:
        @of_duckdb
        @functools.wraps(entrance)
        def refreshed(con: duckdb.DuckDBPyConnection, *args: Any, **kwargs: Any) -> Any:
            refresh(con)
            _look_at(*args[:1], *kwargs.values())
            return entrance(con, *args, **kwargs)

        return refreshed

    @functools.wraps(duckdb.default_connection)
    def default_connection() -> duckdb.DuckDBPyConnection:
        # The default connection lives on while its Python object comes and goes: keep hold of it.
        con = real_default_connection()
        defaults.add(con)
        return con

    real_default_connection = duckdb.default_connection
    replaced: list[tuple[Any, str, Any]] = [
        *((connection, name, refreshing(vars(connection)[name])) for name in _ENTRANCES),
        *((duckdb, name, _of_default(name)) for name in OF_DEFAULT),
        *((module, "default_connection", default_connection) for module in (duckdb, _duckdb)),
    ]
    try:
        with replacing(replaced):
            yield
    finally:
        for con in list(shadowed):
            with suppress(duckdb.Error):
                execute(con, _UNSHADOW)
