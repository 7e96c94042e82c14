"""Makes pydantic's `PastDate`, `FutureDatetime` and their like compare with the virtual clock.

pydantic-core is written in Rust, which asks the C library (`clock_gettime`). There it is led to the
clock, on Linux; elsewhere it is told, if the user's code names one of them.

`tests/patches/test_patches_pydantic.py` holds a test that fails when this is not needed any longer.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simulator import caveats
from simulator.cfunctions import instead_of_c
from simulator.places import place_of_word


class _Timespec(ctypes.Structure):
    """`struct timespec`."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


_GETTIME = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Timespec))


@contextmanager
def virtual_now() -> Iterator[None]:
    """Make what pydantic takes for now what Python's own clock shows, until this ends."""
    from pydantic_core import _pydantic_core

    real = ctypes.CDLL(None).clock_gettime

    def gettime(which: int, into: Any) -> int:
        if which != time.CLOCK_REALTIME:
            return int(real(which, into))
        into[0].seconds, into[0].nanoseconds = divmod(time.time_ns(), 10**9)
        return 0

    with instead_of_c(_pydantic_core, "clock_gettime", _GETTIME(gettime)) as reached:
        yield
        if not reached and (where := place_of_word(_WORDS)):
            caveats.tell("real time", _NOT_REACHED, where=where)


_WORDS = r"\b(Past|Future)Date(time)?\b"

_NOT_REACHED = (
    "pydantic's PastDate, FutureDatetime and their like compare with the machine's time on this"
    " operating system"
)
