"""Lets Python look for unreachable cycles less often while a simulation is open.

A simulation makes objects by the million, of requests, rows and states, and nearly none of them are in
cycles that only the collector can free. Beside the heap of Prefect and its server each look through all
generations costs a tenth of a second: 5 to 10 % of the CPU time of a simulation in pytest, measured.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 50_000
"""How many more containers are made than freed before the youngest are looked through (Python: 700)."""


@contextmanager
def seldom() -> Iterator[None]:
    """Raise the collector's first threshold to `ALLOCATIONS`; a higher one, and none, are left."""
    before = gc.get_threshold()
    ours = (max(before[0], ALLOCATIONS) if before[0] else 0, *before[1:])
    gc.set_threshold(*ours)
    try:
        yield
    finally:
        if gc.get_threshold() == ours:  # else the test has set it, for good
            gc.set_threshold(*before)
