"""One simulation at a time in a process: its clock is the process's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simulator.errors import SimulationError

_open = False


@contextmanager
def only_one() -> Iterator[None]:
    """Be the one that is open. Raises SimulationError if another one is."""
    global _open
    if _open:
        raise SimulationError(
            "a simulation is open in this process already: close it first, or use a process for each"
        )
    _open = True
    try:
        yield
    finally:
        _open = False
