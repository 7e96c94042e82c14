"""Lets the busy time-outs of SQLite take virtual time between runs.

Who finds a database locked sleeps some milliseconds, looks again, and gives up when the sleeps add up
to the time-out, be it of `sqlite3.connect(timeout=)`, `PRAGMA busy_timeout`, SQLAlchemy or aiosqlite.
All of them sleep by one function of SQLite's, which belongs to how it reaches files
(`sqlite3_vfs.xSleep`) and may be replaced: here a thread of a run sleeps in virtual time, if a
transaction of a run is open that may be what it waits for. Otherwise a real process has the lock, and
it sleeps in real time. The server's own threads, and those of the test, always do.

A transaction that is open when its process ends is rolled back, as it really would. One on a
connection that other threads may use, as in an engine's pool, only when its process is killed: another
run may have begun it. A database's handle is told by one of the functions that
`simulator.patches.sqlite` has given it: SQLite lets go of these when the handle is closed, by whatever.

SQLite 3.7 and newer, where `_sqlite3` is a library that can be loaded; where it is not, a run's
time-outs take no virtual time, and that is told. `tests/process/test_sqlite_locks.py` fails without it.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from simulator import caveats
from simulator.clock import Hold, VirtualClock, Wait, counted
from simulator.instants import Real
from simulator.process import Process, current_process


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`, as far as how it sleeps."""

    _fields_ = (
        ("numbers", ctypes.c_int * 3),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("methods", ctypes.c_void_p * 9),
        ("sleep", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class _Handle:
    """An open database: its address, who has opened it, and whether nobody else may use it."""

    address: int
    process: Process
    thread: int
    one_thread: bool


class _Handles:
    """The open databases of the runs of one simulation."""

    def __init__(self) -> None:
        self._open: dict[weakref.ref[Any], _Handle] = {}
        self._known: set[Process] = set()

    def opened(
        self, connection: sqlite3.Connection, function: Callable[..., Any], one_thread: bool
    ) -> None:
        """A thread has opened one, to which `function` has been given."""
        process = current_process()
        if counted() is None or process is None:
            return
        if _library() is None:
            caveats.tell("real time", _NOT_REACHED)
            return
        address = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__).value
        assert address is not None
        closed = weakref.ref(function, lambda it: self._open.pop(it, None))
        self._open[closed] = _Handle(address, process, threading.get_ident(), one_thread)
        if process not in self._known:
            self._known.add(process)
            process.releases.append(lambda: self._let_go(process))

    def may_wait_for_another(self) -> bool:
        """Whether the calling thread may wait for a transaction other than that in which it waits,
        be it its own on another connection: for that it waits in vain, and as long as for any other.
        """
        mine = threading.get_ident()
        open_ = [one for one in list(self._open.values()) if _in_transaction(one)]
        return len(open_) > any(one.thread == mine and _executes(one) for one in open_)

    def _let_go(self, process: Process) -> None:
        killed = process.returncode != 0
        for one in list(self._open.values()):
            if one.process is process and (one.one_thread or killed) and _in_transaction(one):
                _roll_back(one)


def _in_transaction(handle: _Handle) -> bool:
    return not _function("sqlite3_get_autocommit", ctypes.c_int)(handle.address)


def _executes(handle: _Handle) -> bool:
    """Whether a statement has begun and not ended: that of the connection that waits has."""
    following = _function("sqlite3_next_stmt", ctypes.c_void_p)
    statement = following(handle.address, None)
    while statement:
        if _function("sqlite3_stmt_busy", ctypes.c_int)(statement):
            return True
        statement = following(handle.address, statement)
    return False


def _roll_back(handle: _Handle) -> None:
    """Roll back, unless a dead thread is in the middle of a call."""
    mutex = _function("sqlite3_db_mutex", ctypes.c_void_p)(handle.address)
    if _function("sqlite3_mutex_try", ctypes.c_int)(mutex) != 0:
        return
    try:
        _function("sqlite3_exec", ctypes.c_int)(handle.address, b"rollback", None, None, None)
    finally:
        _function("sqlite3_mutex_leave", None)(mutex)


@contextmanager
def installed(clock: VirtualClock) -> Iterator[Callable[..., None]]:
    """Let runs wait for one another in virtual time. Yields what is told of each database opened."""
    handles = _Handles()

    def sleep(vfs: int, microseconds: int) -> int:
        hold = counted()
        if hold is None or hold.background or not handles.may_wait_for_another():
            Real.sleep(microseconds / 1e6)
        else:
            _sleep_virtually(clock, hold, microseconds / 1e6)
        return microseconds

    called = _SLEEP(sleep)
    _kept.append(called)  # for good: a thread may be about to call it at any time
    before = [(vfs, vfs.sleep) for vfs in _ways_to_files()]
    try:
        for vfs, _ in before:
            vfs.sleep = ctypes.cast(called, ctypes.c_void_p).value
        yield handles.opened
    finally:
        for vfs, own in before:
            vfs.sleep = own


def _sleep_virtually(clock: VirtualClock, hold: Hold, seconds: float) -> None:
    """Sleep. What would end it by an error, which SQLite cannot pass on, ends the next wait."""
    try:
        clock.park(Wait(clock, hold), seconds)
    except BaseException as error:
        if clock.closing is None:
            hold.calls.append(lambda error=error: _raise(error))  # type: ignore[misc]


def _raise(error: BaseException) -> NoReturn:
    raise error


_SLEEP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_kept: list[Any] = []


def _ways_to_files() -> Iterator[_Vfs]:
    if _library() is not None:
        address = _function("sqlite3_vfs_find", ctypes.c_void_p)(None)
        while address:
            vfs = _Vfs.from_address(address)
            yield vfs
            address = vfs.next


@cache
def _library() -> ctypes.CDLL | None:
    """The SQLite that Python uses, with what of it is needed here."""
    try:
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find  # noqa: B018
    except (AttributeError, OSError):
        return None
    return library


@cache
def _function(name: str, returned: Any) -> Callable[..., Any]:
    function = getattr(_library(), name)
    function.restype = returned

    def call(*args: Any) -> Any:
        return function(*(ctypes.c_void_p(one) if isinstance(one, int) else one for one in args))

    return call


_NOT_REACHED = (
    "this Python's SQLite cannot be reached: who waits for a transaction of another run gives up"
    " without any virtual time"
)
