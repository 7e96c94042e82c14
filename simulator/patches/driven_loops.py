"""Lets the event loops of the thread that drives a simulation drive it, where they would only wait.

In an async test, in a notebook, in `asyncio.run` in the middle of a test: `await asyncio.sleep(3600)`
lets the world run for an hour, as `time.sleep(3600)` does in a plain test, and takes no real time. A
flow that is awaited there takes the time that it takes.

What is patched, and why (Python 3.11 to 3.13): the selector, the timers and the time of one loop, of
asyncio's own kind. A loop that was running before has timers of the real world: they stay in real
time. A loop written in C (uvloop) cannot be patched; there `asyncio.sleep` drives by itself.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio._backends._asyncio as anyio_asyncio
from anyio._backends._asyncio import WorkerThread

from simulator.clock import VirtualClock
from simulator.errors import NothingToRun
from simulator.instants import Real
from simulator.patches.replacing import replacing

GRACE = 0.2
"""For how long the real world may take to answer on a connection, in real seconds, before a time-out
that waits for it is one in virtual time."""


class DrivingSelector:
    """In place of the selector of a loop: drives `clock` while the loop has nothing else to do."""

    def __init__(self, loop: Any, clock: VirtualClock) -> None:
        self._loop = loop
        self._clock = clock
        self._selector: selectors.BaseSelector = loop._selector
        self._home = threading.get_ident()
        # What the loop has to do with the real world from before.
        self._files = {key.fd for key in self._selector.get_map().values()}
        self._serves_others = len(self._files) > 1  # as a notebook's, which waits for its next cell
        self._timers: list[Any] = loop._scheduled
        self._lent: set[Any] = set()
        self._run_in_executor = loop.run_in_executor
        self._shutdown_default_executor = loop.shutdown_default_executor
        loop._scheduled = []
        loop._selector = self
        loop.time = self._time
        loop.run_in_executor = self._lend
        loop.shutdown_default_executor = self._shut_down

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)

    def put_back(self) -> None:
        """Leave the loop as it was. Timers that have been set since are due at once."""
        loop = self._loop
        if loop._selector is self:
            loop._selector = self._selector
        del loop.time, loop.run_in_executor, loop.shutdown_default_executor
        for handle in loop._scheduled:
            handle._when = Real.monotonic()
            heapq.heappush(self._timers, handle)
        loop._scheduled = self._timers

    def _time(self) -> float:
        seconds, micros = divmod(self._clock.read(), 1_000_000)
        return seconds + micros / 1e6

    def _lend(self, executor: Any, function: Callable[..., Any], *args: Any) -> Any:
        future = self._run_in_executor(executor, function, *args)
        self._lent.add(future)
        future.add_done_callback(self._lent.discard)
        return future

    async def _shut_down(self, *args: Any) -> None:
        """The executor's threads end in the real world: time must not run on while they do."""
        self._lent.add(self)
        try:
            await self._shutdown_default_executor(*args)
        finally:
            self._lent.discard(self)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._selector.select(0)
        if found or self._ring() or (timeout is not None and timeout <= 0):
            return found
        if threading.get_ident() != self._home or self._waits_for_a_thread():
            return self._selector.select(self._until_real_timer())
        if timeout is None and (self._serves_others or self._waits_for_the_world()):
            return self._selector.select(self._until_real_timer())
        if self._waits_for_the_world() and (found := self._selector.select(GRACE)):
            return found

        def arrived() -> bool:
            found[:] = self._selector.select(0)
            return bool(found)

        try:
            if timeout is None:
                self._clock.drive(None, arrived)
            else:
                self._clock.sleep(timeout, arrived)
        except NothingToRun:  # in virtual time: a thread of the real world may
            return self._selector.select(self._until_real_timer())
        return found

    def _waits_for_a_thread(self) -> bool:
        return bool(self._lent) or any(
            isinstance(thread, WorkerThread)
            and thread.loop is self._loop
            and thread not in thread.idle_workers
            for thread in threading.enumerate()
        )

    def _waits_for_the_world(self) -> bool:
        new = [key for key in self._selector.get_map().values() if key.fd not in self._files]
        return any(
            not _is_listening(key.fileobj) for key in new if key.fileobj is not self._loop._ssock
        )

    # -- timers of the real world --------------------------------------------------------------------

    def _until_real_timer(self) -> float | None:
        return max(0.0, self._timers[0].when() - Real.monotonic()) if self._timers else None

    def _ring(self) -> bool:
        """Hand the loop its timers of the real world that are due."""
        rung = False
        while self._timers and self._timers[0].when() <= Real.monotonic():
            handle = heapq.heappop(self._timers)
            handle._scheduled = False
            if not handle.cancelled():
                self._loop._ready.append(handle)
                rung = True
        return rung


def _is_listening(file: Any) -> bool:
    accepts = getattr(socket, "SO_ACCEPTCONN", None)
    try:
        return bool(accepts and file.getsockopt(socket.SOL_SOCKET, accepts))
    except (AttributeError, OSError):
        return False


@contextmanager
def loops_driving(clock: VirtualClock) -> Iterator[Callable[[Any], None]]:
    """Let the loop that runs in this thread, if there is one, drive `clock`, and those that are made.

    Gives a function to be called with each loop that is made in this thread.
    """
    driving: list[DrivingSelector] = []

    def drive(loop: Any) -> None:
        if isinstance(loop, asyncio.SelectorEventLoop):
            driving.append(DrivingSelector(loop, clock))

    running = asyncio._get_running_loop()
    foreign = not isinstance(running, asyncio.SelectorEventLoop | None)
    if running is not None:
        drive(running)
    try:
        with replacing(_sleeps(clock) if foreign else []):
            yield drive
    finally:
        for selector in driving:
            if not selector._loop.is_closed():
                selector.put_back()


def _sleeps(clock: VirtualClock) -> list[tuple[Any, str, Any]]:
    home = threading.get_ident()
    real_sleep = asyncio.sleep

    async def sleep(delay: float, result: Any = None) -> Any:
        if threading.get_ident() != home or delay <= 0:
            return await real_sleep(delay, result)
        await real_sleep(0)
        clock.sleep(delay)
        return result

    return [
        (asyncio, "sleep", sleep),
        (asyncio.tasks, "sleep", sleep),
        (anyio_asyncio, "sleep", sleep),
    ]
