"""Gives each simulated process its own shared random numbers, seeded by run.

Python 3.11 to 3.13. What is patched, and why:

- the class of the instance behind `random.random`, `random.choice` and the like: they are its bound
  methods, held by name everywhere, and all are made of a few that are looked up in the class.
- these few, as names of the module `random`, and where they were imported by name: as bound methods
  they would go straight to the instance.

`tests/process/test_apart.py` fails without each of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simulator.patches.replacing import replacing, wherever_imported
from simulator.process import numbers


class _Numbers(random.Random):
    """The class of Python's shared instance in a simulation: each process has an instance.

    Whoever takes one of these methods by name keeps it, and after the simulation it is the real one.
    """

    def random(self) -> float:
        own = numbers.current()
        return random.Random.random(self) if own is None else own.random()

    def getrandbits(self, k: int, /) -> int:
        own = numbers.current()
        return random.Random.getrandbits(self, k) if own is None else own.getrandbits(k)

    def seed(self, a: Any = None, version: int = 2) -> None:
        own = numbers.current()
        if own is None:
            random.Random.seed(self, a, version)
        else:
            own.seed(a, version)

    def getstate(self) -> Any:
        own = numbers.current()
        return random.Random.getstate(self) if own is None else own.getstate()

    def setstate(self, state: Any) -> None:
        own = numbers.current()
        if own is None:
            random.Random.setstate(self, state)
        else:
            own.setstate(state)

    @property
    def gauss_next(self) -> float | None:
        """The second of two numbers that `gauss` draws at once."""
        own: Any = numbers.current()
        return vars(self).get("gauss_next") if own is None else own.gauss_next

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        own: Any = numbers.current()
        if own is None:
            vars(self)["gauss_next"] = value
        else:
            own.gauss_next = value


_NAMES = ("random", "getrandbits", "seed", "getstate", "setstate")


@contextmanager
def installed(seed: int) -> Iterator[None]:
    """Keep random numbers apart, for one simulation. What belongs to no process draws from `seed`."""
    shared: Any = random._inst
    state = shared.getstate()
    shared.__class__ = _Numbers
    try:
        ours = {name: getattr(shared, name) for name in _NAMES}
        with replacing(wherever_imported(random, ours)):
            shared.seed(seed)
            yield
    finally:
        shared.__class__ = random.Random
        shared.setstate(state)
