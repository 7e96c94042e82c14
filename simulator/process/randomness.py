"""The shared random numbers of a process: `random.random()` and the like.

A real process seeds them from the operating system. Here the simulation's seed and the run decide,
so that two simulations of one seed draw the same.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter

from simulator.process.own import Own
from simulator.process.processes import Process


def _of_the_run(process: Process) -> random.Random:
    digest = hashlib.sha256(process.seed.encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))


numbers = Own(_of_the_run)


class Seeds:
    """What the random numbers of each process come from: the simulation's seed and which run it is."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._started: Counter[str] = Counter()

    def next(self, name: str) -> str:
        """For the next process of that name."""
        self._started[name] += 1
        return f"{self._seed}/{name}/{self._started[name]}"
