"""Makes SQLite's own clock read the virtual one, on every connection of this process.

SQLite takes 'now' from the operating system and offers no switch for it. But a function that is
registered with a connection goes before the built-in one of its name, also in defaults, views,
triggers and indexes; and `current_timestamp` is such a function, though it looks like a word of the
language. Each connection is given them when it is made, by whatever made it: the module's `connect`,
its class `Connection`, a SQLAlchemy engine, aiosqlite. Those that are open already when a simulation
begins get them then.

They are told to SQLite as deterministic, as the built-in ones are within one statement: else they
could not be part of an index, and 'now' would move on from row to row. Without a simulation they do
what the built-in ones do.

`tests/patches/test_patches_sqlite.py` holds a test that fails when this is not needed any longer.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cache, partial
from typing import Any

from simulator import caveats
from simulator.cfunctions import preparing

# For each function the place of its first instant, and how many instants it takes.
_INSTANTS = {
    "date": (0, 1),
    "time": (0, 1),
    "datetime": (0, 1),
    "julianday": (0, 1),
    "unixepoch": (0, 1),
    "strftime": (1, 1),
    "timediff": (0, 2),
}
_WORDS = {"current_timestamp": "datetime", "current_date": "date", "current_time": "time"}
_FRACTIONS = ("subsec", "subsecond")
"""Modifiers that may stand alone, in the place of an instant that is now."""


_plain = sqlite3.connect(":memory:", check_same_thread=False)
"""Whom to ask for what a function makes of an instant."""

_now: Callable[[], datetime] | None = None
_opened: Callable[..., None] | None = None


def _call(function: str, *arguments: Any) -> Any:
    """One of SQLite's functions of time; 'now', or no instant at all, is the virtual one."""
    if _now is not None:
        arguments = _resolved(arguments, *_INSTANTS[function], _now())
    marks = ", ".join("?" * len(arguments))
    return _plain.execute(f"select {function}({marks})", arguments).fetchone()[0]


def _resolved(given: tuple[Any, ...], first: int, count: int, now: datetime) -> tuple[Any, ...]:
    instant = now.replace(tzinfo=None).isoformat(sep=" ")
    arguments = list(given)
    if len(arguments) == first or (count == 1 and arguments[first] in _FRACTIONS):
        arguments.insert(first, instant)
    for place in range(first, min(first + count, len(arguments))):
        if isinstance(arguments[place], str) and arguments[place].lower() == "now":
            arguments[place] = instant
    return tuple(arguments)


@contextmanager
def virtual_now(
    now: Callable[[], datetime], opened: Callable[..., None] = lambda *_: None
) -> Iterator[None]:
    """Make 'now' in SQLite follow `now`, an aware clock, on every connection until this ends.

    `opened` is told of each that is made, with a function that SQLite keeps until it is closed, and
    whether only its own thread may use it.
    """
    global _now, _opened
    _watch()
    _now, _opened = now, opened
    try:
        for connection in _open_already():
            try:
                _register(connection)
            except sqlite3.ProgrammingError as error:
                if "thread" in str(error):
                    caveats.tell("real time", _OF_ANOTHER_THREAD, where="")
        yield
    finally:
        _now, _opened = None, None


@cache
def _watch() -> AbstractContextManager[None]:
    """Look at each connection that is made from here on, for good.

    Outside of a simulation they are counted only, to know whether the next one has to look for them.
    """

    def made(prepare: Callable[..., None], connection: Any, *args: Any, **kwargs: Any) -> None:
        global _unseen
        prepare(connection, *args, **kwargs)
        if _now is None:
            _unseen += 1
            return
        function = _register(connection)
        if _opened is not None:
            one_thread = args[4] if len(args) > 4 else kwargs.get("check_same_thread", True)
            _opened(connection, function, bool(one_thread))

    for_good = preparing(sqlite3.Connection, made)
    for_good.__enter__()
    return for_good  # which would end with its last reference


_unseen = 1
"""How many connections have been made outside of simulations since the last look at what is open."""


def _register(connection: sqlite3.Connection) -> Callable[..., Any]:
    """Give a connection its functions of time. Returns one of them."""
    for name in _functions():
        connection.create_function(name, -1, partial(_call, name), deterministic=True)
    functions = {word: partial(_call, name) for word, name in _WORDS.items()}
    for word, function in functions.items():
        connection.create_function(word, 0, function, deterministic=True)
    return functions["current_time"]


@cache
def _functions() -> list[str]:
    """Those of them that this SQLite has: `timediff` came with 3.43."""
    rows = _plain.execute("select distinct name from pragma_function_list").fetchall()
    return [name for (name,) in rows if name in _INSTANTS]


def _open_already() -> list[sqlite3.Connection]:
    """The connections that are open now and have been made outside of simulations.

    To look for them takes as long as all else when a simulation begins.
    """
    global _unseen
    if not _unseen:
        return []
    _unseen = 0
    classes = [sqlite3.Connection, *sqlite3.Connection.__subclasses__()]
    return [one for kind in classes for one in gc.get_referrers(kind) if _is_connection(one)]


def _is_connection(found: object) -> bool:
    return issubclass(type(found), sqlite3.Connection) and found is not _plain


_OF_ANOTHER_THREAD = (
    "a SQLite connection that another thread has opened before the simulation shows the machine's"
    " time: open it inside"
)
