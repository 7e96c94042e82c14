"""Makes numpy's words "now" and "today" read the virtual clock.

numpy asks the C library (`time`) wherever it meets one of them: in `datetime64("now")`, in words that
become an array of instants or are put into one. There it is led to the clock, on Linux; elsewhere it
is told, if the user's code uses them.

`tests/patches/test_patches_numpy.py` holds a test that fails when this is not needed any longer.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from simulator import caveats
from simulator.cfunctions import instead_of_c
from simulator.places import place_of_word

_TIME = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.POINTER(ctypes.c_long))


@contextmanager
def virtual_now() -> Iterator[None]:
    """Make numpy's 'now' what Python's own clock shows, until this ends."""
    extension = import_module("numpy._core._multiarray_umath")

    def now(into: Any) -> int:
        seconds = int(time.time())
        if into:
            into[0] = seconds
        return seconds

    with instead_of_c(extension, "time", _TIME(now)) as reached:
        yield
        if not reached and (where := place_of_word(_WORDS)):
            caveats.tell("real time", _NOT_REACHED, where=where)


_WORDS = r"""["'](now|today)["']"""

_NOT_REACHED = "numpy's words 'now' and 'today' show the machine's time on this operating system"
