"""The orderly end of a process: its threads, then what it has registered with `atexit`."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from simulator.process.own import Own
from simulator.process.processes import Process


class Exits:
    """What a process does at its end, the last thing registered first."""

    def __init__(self) -> None:
        self._calls: list[partial[Any]] = []

    def register(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As `atexit.register`."""
        if not callable(function):
            raise TypeError("the first argument must be callable")
        self._calls.append(partial(function, *args, **kwargs))
        return function

    def unregister(self, function: Callable[..., Any]) -> None:
        """As `atexit.unregister`."""
        self._calls = [call for call in self._calls if call.func != function]

    def clear(self) -> None:
        self._calls.clear()

    def run(self) -> None:
        """As Python does: an error is shown, and nothing more."""
        while self._calls:
            call = self._calls.pop()
            try:
                call()
            except Exception:
                sys.stderr.write(f"Exception ignored in atexit callback {call.func!r}:\n")
                sys.stderr.write(traceback.format_exc())


exits = Own(lambda _: Exits())


def join_threads(process: Process) -> None:
    """Wait for the threads of a process, as Python does before it ends. Not for daemons.

    A pool's threads end once they have done what was handed to them.
    """
    for thread in process.threads():
        for pool in _pool_of(thread):
            pool.shutdown(wait=False)
    for thread in process.threads():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()


def _pool_of(thread: threading.Thread) -> list[ThreadPoolExecutor]:
    # A pool's thread is started with a weak reference to its pool.
    arguments = vars(thread).get("_args") or (None,)
    pool = arguments[0]() if callable(arguments[0]) else None
    return [pool] if isinstance(pool, ThreadPoolExecutor) else []
