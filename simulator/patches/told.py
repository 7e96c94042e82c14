"""Readers of the time that no virtual clock reaches: whoever meets one hears of it.

A process of its own reads the machine's clock. `subprocess.Popen` is where nearly all of them are
started that a flow waits for (`os.posix_spawn` is in `simulator.patches.polled`); nobody knows whether
the program looks at the time, so the message says "if".

polars asks the operating system for `now()` in its SQL, on threads of its own; `SQLContext.execute`, by
which all SQL goes, and `sql_expr` are looked at. The files of `pyarrow.fs` show when the machine wrote
them. psutil reads in `/proc` when the machine and its processes were started. Linux's own clocks among
its files, and functions of the C library, show the machine's time to whoever asks for them.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from types import FrameType
from typing import Any

from simulator import caveats
from simulator.cfunctions import overriding
from simulator.clock import counted
from simulator.patches.files import told_of_reading
from simulator.patches.replacing import replacing, wherever_imported
from simulator.places import is_users


@contextmanager
def readers() -> Iterator[None]:
    """Tell of processes, of the system's own clocks among files, and of C functions that a flow asks
    for by ctypes, once for a place, until this ends.
    """
    init, function_named = subprocess.Popen.__init__, ctypes.CDLL.__getitem__

    def init_(self: Any, *args: Any, **kwargs: Any) -> None:
        tell_of_process(args[0] if args else kwargs.get("args", ""))
        init(self, *args, **kwargs)

    @wraps(function_named)
    def function_named_(library: ctypes.CDLL, name: Any) -> Any:
        if name in _C_READERS and counted() is not None:
            caveats.tell(
                "real time",
                f"{name}() of a library in C shows the machine's time: use Python's `time`",
            )
        return function_named(library, name)

    replaced = [
        (subprocess.Popen, "__init__", init_),
        (ctypes.CDLL, "__getitem__", function_named_),
    ]
    with replacing(replaced), told_of_reading(_look_at_file):
        yield


_C_READERS = {"time", "ftime", "gettimeofday", "clock_gettime", "timespec_get"}


def _look_at_file(path: Any) -> None:
    if counted() is not None and isinstance(path, str | os.PathLike):
        name = os.fspath(path)
        if isinstance(name, str) and name.startswith(_CLOCKS):
            caveats.tell("real time", f"{name} shows the machine's time: use Python's `time`")


_CLOCKS = ("/proc/uptime", "/proc/driver/rtc", "/sys/class/rtc/")
"""Where Linux shows its clocks."""


def tell_of_process(given: Any) -> None:
    """Tell of a process of its own that whoever calls is about to start, by a command."""
    if counted() is not None and not _is_harmless():
        words = _words(given)
        command = given if isinstance(given, str) else " ".join(words)
        advice = "".join(text for program, text in _ADVICE.items() if program.search(command))
        name = os.path.basename(words[0])  # noqa: PTH119  it may be no path
        caveats.tell(
            "real time",
            f"{name!r} is a process of its own: if it asks for the time, it is shown the"
            f" machine's{advice}",
        )


def _running(program: str) -> re.Pattern[str]:
    """A command that runs a program, by itself, by a shell or by Python."""
    return re.compile(rf"(^|[;&|\n(]|-[cm]|\b(uv|poetry|pipx) run)\s*([^\s;&|]*/)?{program}(\s|$)")


_ADVICE = {
    _running("dbt"): "; dbtRunner().invoke([...]) runs dbt in this process, on virtual time",
    _running(
        "prefect"
    ): "; it reaches no server: run_deployment and the client, here, reach this one",
}
"""What to do in place of a process of its own."""


@contextmanager
def polars_sql() -> Iterator[None]:
    """Tell of SQL that asks polars for the time, until this ends."""
    import polars

    execute, expression = polars.SQLContext.execute, polars.sql_expr

    @wraps(execute)
    def execute_(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        _look_at(query)
        return execute(self, query, *args, **kwargs)

    @wraps(expression)
    def sql_expr(sql: Any) -> Any:
        for one in [sql] if isinstance(sql, str) else sql:
            _look_at(one)
        return expression(sql)

    named = wherever_imported(polars, {"sql_expr": sql_expr})
    with replacing([(polars.SQLContext, "execute", execute_), *named]):
        yield


def _look_at(sql: Any) -> None:
    found = _SAYS_NOW.search(_QUOTED.sub("", sql)) if isinstance(sql, str) else None
    if found:
        caveats.tell(
            "real time",
            f"polars shows the machine's time for {found[0]} in SQL: use a column of datetime.now()",
        )


_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|--.*""")
_SAYS_NOW = re.compile(
    r"\b(now|today)\s*\(\s*\)|\bcurrent_(date|time|timestamp)\b|\blocaltime(stamp)?\b",
    re.IGNORECASE,
)


@contextmanager
def pyarrow_files() -> Iterator[None]:
    """Tell of times of files that pyarrow shows, until this ends."""
    kind = import_module("pyarrow.fs").FileInfo

    def shown(name: str) -> property:
        real: Any = vars(kind)[name]

        def read(info: Any) -> Any:
            caveats.tell(
                "real time", f"{name} of pyarrow's FileInfo shows the machine's time: use os.stat"
            )
            return real.__get__(info)

        return property(read, real.__set__)

    with overriding([(kind, {name: shown(name) for name in ("mtime", "mtime_ns")})]):
        yield


@contextmanager
def psutil_starts() -> Iterator[None]:
    """Tell of instants at which the machine or a process was started, until this ends."""
    psutil = import_module("psutil")
    boot_time, create_time = psutil.boot_time, psutil.Process.create_time

    @wraps(boot_time)
    def boot_time_() -> float:
        _tell_of_a_start("psutil.boot_time()")
        seconds: float = boot_time()
        return seconds

    @wraps(create_time)
    def create_time_(process: Any) -> float:
        _tell_of_a_start("create_time() of psutil's Process")
        seconds: float = create_time(process)
        return seconds

    named = wherever_imported(psutil, {"boot_time": boot_time_})
    with replacing([*named, (psutil.Process, "create_time", create_time_)]):
        yield


def _tell_of_a_start(reader: str) -> None:
    if counted() is not None and is_users(sys._getframe(2)):  # psutil tells processes apart by it
        caveats.tell("real time", f"{reader} shows when that was on the machine's clock")


def _is_harmless() -> bool:
    """Whether the process is asked for what has nothing to do with the time."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") not in _HARMLESS:
        frame = frame.f_back
    return frame is not None


_HARMLESS = ("platform", "prefect._internal.git", "prefect._internal.versioning", "uuid")
"""Modules that ask a program who and where they are: Prefect asks git for the version of a flow."""


def _words(given: Any) -> list[str]:
    """The program of a command, and its arguments."""
    if isinstance(given, str | bytes | os.PathLike):
        whole = os.fsdecode(given)
        return [whole] if isinstance(given, os.PathLike) else whole.split() or [""]
    words = [
        os.fsdecode(one) if isinstance(one, bytes | os.PathLike) else str(one)
        for one in given or ()
    ]
    return words or [""]
