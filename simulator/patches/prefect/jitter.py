"""The patch that draws the jitter of retries from the seed.

Prefect 3.8 and 3.9. Its clients and workers wait for a random time before they ask again. What belongs
to a run draws from its process's numbers; what does not, a worker, would draw from those of the test,
and no two simulations would be the same. `tests/faults/test_requests.py` fails without it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.utilities import math as prefect_math

from simulator.patches.replacing import replacing
from simulator.process import current_process


@contextmanager
def drawn(seed: int) -> Iterator[None]:
    """Draw by `seed` and by the name of the thread, where there is no process."""
    replaced: list[tuple[Any, str, Any]] = [(prefect_math, "random", _Numbers(seed))]
    with replacing(replaced):
        yield


class _Numbers:
    """`random` as Prefect's jitter uses it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sources: dict[str, random.Random] = {}

    def uniform(self, lower: float, upper: float) -> float:
        if current_process() is not None:
            return random.uniform(lower, upper)
        name = threading.current_thread().name
        source = self._sources.setdefault(name, random.Random(f"{self._seed}/jitter/{name}"))
        return source.uniform(lower, upper)
