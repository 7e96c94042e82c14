"""Readers of the time that no virtual clock reaches: whoever meets one hears of it.

A process of its own reads the machine's clock. `subprocess.Popen` is where all of them are started
that a flow waits for; nobody knows whether the program looks at the time, so the message says "if".
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simulator import caveats
from simulator.clock import counted
from simulator.patches.replacing import replacing


@contextmanager
def readers() -> Iterator[None]:
    """Tell of each of them, once for a place, until this ends."""
    init = subprocess.Popen.__init__

    def init_(self: Any, *args: Any, **kwargs: Any) -> None:
        if counted() is not None and _asks() not in _HARMLESS:
            given = args[0] if args else kwargs.get("args", "")
            caveats.tell(
                "real time",
                f"{_program(given)} is a process of its own: if it asks for the time, it is shown the"
                " machine's",
            )
        init(self, *args, **kwargs)

    with replacing([(subprocess.Popen, "__init__", init_)]):
        yield


def _asks() -> str:
    """The module that starts a process, outside of `subprocess` and of this package."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals["__name__"].startswith(("subprocess", "simulator.")):
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


_HARMLESS = ("uuid", "platform")
"""Modules of Python's own that ask a program for what has nothing to do with the time."""


def _program(given: Any) -> str:
    """The name of the program in a command."""
    first = given.split() if isinstance(given, str | bytes) else list(given or [""])
    name = os.fsdecode(first[0]) if first and isinstance(first[0], str | bytes) else str(given)
    return repr(os.path.basename(name))  # noqa: PTH119  it may be no path
