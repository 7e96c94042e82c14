"""What Python and C keep once for the whole interpreter, and a real process for itself.

Simulated processes share these settings. They are read when the first of those that are going on
begins, and put back when the last of them has ended, so that no run leaves anything to the next, or to
the test. What one changes while others are going on, these have as well: that is told.
"""

from __future__ import annotations

import asyncio
import csv
import decimal
import gc
import locale
import logging
import resource
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from simulator import caveats
from simulator.process.processes import Process

KIND = "shared interpreter"


@dataclass(frozen=True)
class Setting:
    """One of them: how people know it, how it is read, and how it is set to what was read."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _attribute(module: Any, name: str) -> Setting:
    """A setting that is an attribute of a module."""
    known = f"{module.__name__}.{name}"
    return Setting(known, partial(getattr, module, name), partial(setattr, module, name))


def _context() -> tuple[Any, ...]:
    made = decimal.DefaultContext
    return made.prec, made.rounding, made.Emin, made.Emax, made.capitals, made.clamp


def _set_context(values: tuple[Any, ...]) -> None:
    made = decimal.DefaultContext
    made.prec, made.rounding, made.Emin, made.Emax, made.capitals, made.clamp = values


def _set_locale(found: str) -> None:
    locale.setlocale(locale.LC_ALL, found)


def _set_gc(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


SETTINGS = (
    Setting("socket.getdefaulttimeout()", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Setting("sys.getrecursionlimit()", sys.getrecursionlimit, sys.setrecursionlimit),
    Setting("sys.get_int_max_str_digits()", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    Setting("sys.getswitchinterval()", sys.getswitchinterval, sys.setswitchinterval),
    Setting("gc.isenabled()", gc.isenabled, _set_gc),
    Setting("gc.get_threshold()", gc.get_threshold, lambda found: gc.set_threshold(*found)),
    Setting("gc.get_debug()", gc.get_debug, gc.set_debug),
    Setting("the locale", partial(locale.setlocale, locale.LC_ALL), _set_locale),
    Setting("the event loop policy", asyncio.get_event_loop_policy, asyncio.set_event_loop_policy),
    Setting("csv.field_size_limit()", csv.field_size_limit, csv.field_size_limit),
    Setting("decimal.DefaultContext", _context, _set_context),
    Setting("logging.getLoggerClass()", logging.getLoggerClass, logging.setLoggerClass),
    *(
        Setting(
            f"resource.getrlimit(resource.{name})",
            partial(resource.getrlimit, getattr(resource, name)),
            partial(resource.setrlimit, getattr(resource, name)),
        )
        for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    ),
    _attribute(tempfile, "tempdir"),
    _attribute(ssl, "_create_default_https_context"),
    *(_attribute(sys, name) for name in ("excepthook", "displayhook", "breakpointhook")),
)


class Interpreter:
    """The settings of one simulation, and the processes that are going on and share them."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._going_on: set[Process] = set()
        self._before: Mapping[Setting, Any] = {}

    def begin(self, process: Process) -> None:
        """A process begins. Others may be going on."""
        with self._mutex:
            if self._going_on:
                self._tell()
            else:
                self._before = {setting: setting.read() for setting in SETTINGS}
            self._going_on.add(process)
        process.releases.append(partial(self._end, process))

    def _end(self, process: Process) -> None:
        with self._mutex:
            self._going_on.discard(process)
            if self._going_on:
                self._tell()
            else:
                self._put_back()

    def close(self) -> None:
        """The simulation ends, and with it all processes."""
        with self._mutex:
            self._going_on.clear()
            self._put_back()

    def _changed(self) -> Iterator[tuple[Setting, Any, Any]]:
        """What is not as it was: with the value now, and that before."""
        for setting, before in self._before.items():
            now = setting.read()
            if now is not before and now != before:
                yield setting, now, before

    def _tell(self) -> None:
        for setting, now, before in self._changed():
            caveats.tell(
                KIND,
                f"{setting.name} is {_shown(now)} for every run that is going on, since one has set it"
                f" so; a process has its own, {_shown(before)}",
                where="",
            )

    def _put_back(self) -> None:
        for setting, _, before in self._changed():
            with suppress(OSError, ValueError):  # a hard limit that was lowered stays
                setting.write(before)
        self._before = {}


def _shown(value: Any) -> str:
    """A value as one line tells it, a function or an object by its name."""
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return str(name)
    plain = isinstance(value, int | float | str | tuple | None)
    return repr(value) if plain else type(value).__qualname__


_open: Interpreter | None = None


@contextmanager
def settings_put_back() -> Iterator[None]:
    """For one simulation, let no process leave the interpreter's settings otherwise than they were."""
    global _open
    before, _open = _open, Interpreter()
    try:
        yield
    finally:
        _open.close()
        _open = before


def begin(process: Process) -> None:
    """A process begins, with what the interpreter has, in the thread that calls."""
    decimal.setcontext(decimal.DefaultContext.copy())
    if _open is not None:
        _open.begin(process)
