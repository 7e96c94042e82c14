"""The patch through which a submitted task that waits for the real world learns that its time is up.

Prefect 3.8 and 3.9. A synchronous task in a pool's thread is ended after its `timeout_seconds` by a
thread of its own: not while it waits in C, but when it comes back. What is real takes no virtual time,
so the task would come back before that other thread looks: see `limit_waits`.
`tests/process/test_real_timeouts.py` fails without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from prefect._internal.concurrency.cancellation import WatcherThreadCancelScope

from simulator.clock import VirtualClock, counted, limit_waits, unlimit_waits
from simulator.patches.replacing import replacing


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Let the time-outs of tasks in threads see how long these wait for the real world."""
    enter: Callable[[Any], Any] = WatcherThreadCancelScope.__enter__
    leave = WatcherThreadCancelScope.__exit__

    @wraps(enter)
    def entered(scope: WatcherThreadCancelScope) -> Any:
        limit_waits(clock, counted(), scope.timeout)
        return enter(scope)

    @wraps(leave)
    def left(scope: WatcherThreadCancelScope, *raised: Any) -> Any:
        unlimit_waits()
        return leave(scope, *raised)

    replaced = [
        (WatcherThreadCancelScope, "__enter__", entered),
        (WatcherThreadCancelScope, "__exit__", left),
    ]
    with replacing(replaced):
        yield
