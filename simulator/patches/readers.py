"""Readers of the time that are not Python's own: each is led to the clock, or told of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from simulator.clock import VirtualClock
from simulator.instants import from_micros
from simulator.patches import numpy, pydantic, sqlite, sqlite_busy, told
from simulator.patches.imports import once_imported


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Let them show what `clock` does, until this ends."""
    with ExitStack() as stack:
        opened = stack.enter_context(sqlite_busy.installed(clock))
        stack.enter_context(sqlite.virtual_now(lambda: from_micros(clock.read()), opened))
        stack.enter_context(once_imported("numpy", numpy.virtual_now))
        stack.enter_context(pydantic.virtual_now())
        stack.enter_context(told.readers())
        stack.enter_context(once_imported("polars", told.polars_sql))
        stack.enter_context(once_imported("pyarrow.fs", told.pyarrow_files))
        stack.enter_context(once_imported("psutil", told.psutil_starts))
        yield
