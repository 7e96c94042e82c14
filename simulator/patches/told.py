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
from types import FrameType
from typing import Any

from simulator import caveats
from simulator.clock import counted
from simulator.patches.replacing import replacing


@contextmanager
def readers() -> Iterator[None]:
    """Tell of each of them, once for a place, until this ends."""
    init = subprocess.Popen.__init__

    def init_(self: Any, *args: Any, **kwargs: Any) -> None:
        if counted() is not None and not _is_harmless():
            given = args[0] if args else kwargs.get("args", "")
            caveats.tell(
                "real time",
                f"{_program(given)} is a process of its own: if it asks for the time, it is shown the"
                " machine's",
            )
        init(self, *args, **kwargs)

    with replacing([(subprocess.Popen, "__init__", init_)]):
        yield


def _is_harmless() -> bool:
    """Whether the process is asked for what has nothing to do with the time."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") not in _HARMLESS:
        frame = frame.f_back
    return frame is not None


_HARMLESS = ("platform", "prefect._internal.git", "prefect._internal.versioning", "uuid")
"""Modules that ask a program who and where they are: Prefect asks git for the version of a flow."""


def _program(given: Any) -> str:
    """The name of the program in a command."""
    first = given.split() if isinstance(given, str | bytes) else list(given or [""])
    name = os.fsdecode(first[0]) if first and isinstance(first[0], str | bytes) else str(given)
    return repr(os.path.basename(name))  # noqa: PTH119  it may be no path
