"""The patches through which Prefect's time-outs end what waits for the real world.

Prefect 3.8 and 3.9. What is real takes no virtual time, so it would be over before its time is up:

- `AsyncCancelScope`: the `timeout_seconds` of an asynchronous flow or task. Its loop sees for itself how
  long it waits; the threads into which it hands work do not (`simulator.patches.deadlines`).
- `WatcherThreadCancelScope`: that of a synchronous task in a pool's thread, which another thread ends:
  not while it waits in C, but when it comes back (`limit_waits`).

That of a synchronous flow, or of a task in the main thread, is an alarm.
`tests/process/test_real_timeouts.py` fails without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from prefect._internal.concurrency.cancellation import AsyncCancelScope, WatcherThreadCancelScope

from simulator.clock import VirtualClock, counted, limit_waits, unlimit_waits
from simulator.patches.deadlines import deadlines
from simulator.patches.replacing import replacing


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Let the time-outs of flows and tasks see how long these wait for the real world."""

    def watch(scope: Any) -> None:
        limit_waits(clock, counted(), scope.timeout)

    def forget(_: Any) -> None:
        unlimit_waits()

    def set_deadline(scope: Any) -> None:
        own = deadlines.current()
        if own is not None and scope.timeout is not None:
            own[scope] = clock.instant + scope.timeout * 1e6

    def drop_deadline(scope: Any) -> None:
        own = deadlines.current()
        if own is not None:
            own.pop(scope, None)

    replaced = [
        *_around(WatcherThreadCancelScope, watch, forget),
        *_around(AsyncCancelScope, set_deadline, drop_deadline),
    ]
    with replacing(replaced):
        yield


def _around(
    kind: Any, before: Callable[[Any], None], after: Callable[[Any], None]
) -> list[tuple[Any, str, Any]]:
    enter, leave = kind.__enter__, kind.__exit__

    @wraps(enter)
    def entered(scope: Any) -> Any:
        before(scope)
        return enter(scope)

    @wraps(leave)
    def left(scope: Any, *raised: Any) -> Any:
        after(scope)
        return leave(scope, *raised)

    return [(kind, "__enter__", entered), (kind, "__exit__", left)]
