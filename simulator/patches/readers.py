"""Readers of the time that are not Python's own: each is led to the clock, or told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from simulator.patches import numpy, sqlite, told
from simulator.patches.imports import once_imported


@contextmanager
def installed(now: Callable[[], datetime]) -> Iterator[None]:
    """Let them show `now`, an aware clock, until this ends."""
    with ExitStack() as stack:
        stack.enter_context(sqlite.virtual_now(now))
        stack.enter_context(once_imported("numpy", numpy.virtual_now))
        stack.enter_context(told.readers())
        yield
