"""Gives each simulated process its own of numpy's shared random numbers, seeded by run (numpy 2).

`np.random.rand` and all its kin are methods of one `RandomState`, which `numpy.random.mtrand` keeps for
libraries that look for it (scikit-learn, scipy). What is patched, and why:

- that object: one in its place asks that of the calling process for each method.
- the functions, as names of `numpy.random`, and where they were imported by name: they are bound to it.

Without a process, in the test, numpy's own numbers are drawn. `np.random.default_rng()` has a seed of
the system, or the one that it is given. `tests/patches/test_patches_numpy.py` fails without each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from simulator.patches.replacing import replacing, wherever_imported
from simulator.process import Own, Process


@contextmanager
def installed() -> Iterator[None]:
    """Keep numpy's random numbers apart, for one simulation."""
    from numpy.random import RandomState, mtrand

    real: Any = vars(mtrand)["_rand"]

    def of_the_run(process: Process) -> RandomState:
        digest = hashlib.sha256(f"numpy/{process.seed}".encode()).digest()
        return RandomState(int.from_bytes(digest[:4], "big"))

    numbers = Own(of_the_run)

    class Shared(RandomState):
        def __getattribute__(self, name: str) -> Any:
            own = numbers.current()
            return getattr(real if own is None else own, name)

    shared = Shared()
    ours = {
        name: _dispatched(shared, name, one)
        for name, one in vars(mtrand).items()
        if getattr(one, "__self__", None) is real
    }
    with replacing([(mtrand, "_rand", shared), *wherever_imported(mtrand, ours)]):
        yield


def _dispatched(shared: Any, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def draw(*args: Any, **kwargs: Any) -> Any:
        return getattr(shared, name)(*args, **kwargs)

    return draw
