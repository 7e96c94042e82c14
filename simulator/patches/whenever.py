"""Puts `whenever` on virtual time: Prefect's clock on Python 3.13 (whenever 0.10 and 0.11).

It is written in Rust, out of freezegun's reach.
"""

from __future__ import annotations

import _thread
import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from simulator.clock import VirtualClock
from simulator.instants import to_micros


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    try:
        whenever = importlib.import_module("whenever")
    except ModuleNotFoundError:  # Prefect 3.8 needs it on Python 3.13 and up only
        yield
        return
    shown = to_micros(clock.now)
    # Not waited for by a mere read: a finalizer may read the time in the middle of another read.
    mutex = _thread.allocate_lock()
    instant = whenever.Instant.from_timestamp(shown // 1_000_000)
    with whenever.patch_current_time(instant, keep_ticking=False) as patch:
        patch.shift(microseconds=shown % 1_000_000)

        def follow(micros: int, jumped: bool) -> None:
            nonlocal shown
            if mutex.acquire(jumped):
                try:
                    if micros > shown:
                        patch.shift(microseconds=micros - shown)
                        shown = micros
                finally:
                    mutex.release()

        clock.followers.append(follow)
        try:
            yield
        finally:
            clock.followers.remove(follow)
