"""Lets pools of threads of `multiprocessing` wait for their own workers in virtual time.

Python 3.11 to 3.13. `multiprocessing.dummy.Pool`, which is `multiprocessing.pool.ThreadPool`, has a
thread that waits for ever for a pipe, by which the pool's other threads tell it of what changes. That is
no wait for the real world: nobody but this process writes there.

- `ThreadPool._setup_queues`: gives a pool a queue of threads in place of that pipe.
- `Pool._wait_for_updates`: waits for that queue. Pools of processes wait as they always do.

`tests/clock/test_real_world.py` fails without them.
"""

from __future__ import annotations

import functools
import multiprocessing.pool
import queue
from collections.abc import Callable
from typing import Any


class _Notifier:
    """What a pool's threads tell its keeper by. It is its own reader, as the pool knows it."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reader = self
        self.put, self.get, self.empty = self._told.put, self._told.get, self._told.empty


class _Context:
    """Of the context of a pool of threads, all that it asks for once its other queues are made."""

    SimpleQueue = _Notifier


def replaced() -> list[tuple[Any, str, Any]]:
    """What to replace, with what."""
    pool, of_threads = multiprocessing.pool.Pool, multiprocessing.pool.ThreadPool
    return [
        (of_threads, "_setup_queues", _setting_up(vars(of_threads)["_setup_queues"])),
        (pool, "_wait_for_updates", staticmethod(_waiting(pool._wait_for_updates))),  # type: ignore[attr-defined]
    ]


def _setting_up(real: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(real)
    def set_up(pool: Any) -> None:
        real(pool)
        pool._ctx = _Context()

    return set_up


def _waiting(real: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(real)
    def wait_for_updates(sentinels: Any, notifier: Any, timeout: float | None = None) -> None:
        if not isinstance(notifier, _Notifier):
            return real(sentinels, notifier, timeout)
        notifier.get()
        while not notifier.empty():
            notifier.get()
        return None

    return wait_for_updates
