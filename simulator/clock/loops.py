"""An asyncio event loop whose time is virtual and whose waiting is counted."""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
from asyncio import _enter_task, _get_running_loop, _leave_task, _set_running_loop
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from math import inf
from typing import Any, Self

from simulator.clock.awaited import awaits_the_world
from simulator.clock.holds import Hold
from simulator.clock.mutex import Mutex
from simulator.clock.peers import peers_of
from simulator.clock.real import LOOK_SECONDS, asked, has_asked, waiting_really
from simulator.clock.virtual import VirtualClock
from simulator.clock.waits import Timer, Wait
from simulator.instants import Real, to_micros


class VirtualSelector(selectors.DefaultSelector):
    """A selector that gives up the thread's hold while the loop has nothing to do but wait.

    While the loop waits for the real world (a socket, a pipe of a subprocess) it keeps its hold: until
    that comes, or the loop's next timer has been due for as long in real time.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self._peers = peers_of(clock)
        self._mutex = Mutex()
        self._wait: Wait | None = None
        self._woken = False
        self.loop: VirtualEventLoop | None = None
        self.hold: Hold | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.hold is not None and self.hold.dead and self._clock.closing is None:
            self._clock.park(Wait(self._clock, self.hold))
        if self.hold is None or timeout == 0:
            return super().select(timeout)
        if found := self._select_really():
            return found
        wait = LoopWait(self._clock, self.hold, self._poke)
        with self._mutex:
            if self._woken:
                self._woken = False
                return super().select(0)
            self._wait = wait
        look = super().select
        if len(self.get_map()) > 1:
            self._peers.watch(wait, lambda: bool(look(0)))
        self._clock.park(wait, block=False)
        try:
            return look(None if wait.parked else 0)
        finally:
            self._peers.forget(wait)
            if self.hold.dead and not wait.woken:  # something came in for it: it does not hear
                wait.block()
            try:
                self._clock.unpark(wait)
            finally:
                with self._mutex:  # not before the hold is back: `wake` would find nobody to wake
                    self._wait = None
                    self._woken = False

    def _select_really(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time for the real world, if anybody does; empty at its time-out."""
        loop, what = self.loop, has_asked()
        assert loop is not None
        if what is None and len(self.get_map()) == 1:
            return []
        with waiting_really():  # one wait, however often it looks: a look in vain takes no time
            if found := super().select(0):  # who parks with it in hand lets time run away meanwhile
                return found
            awaited = awaits_the_world(loop, self.get_map().values(), self._peers)
            while (left := loop.real_seconds_left()) > 0:
                if what is not None and what.ready(0):
                    what = None
                if not awaited and (what is None or left == inf):
                    break
                longest = left if what is None else min(left, LOOK_SECONDS)
                if found := super().select(None if longest == inf else longest):
                    return found
        asked(None)
        return []

    def wake(self) -> None:
        """Take the hold on behalf of the loop, after something has been put into it.

        Before, it would not do: the loop could awake, find nothing, and wait again.
        """
        with self._mutex:
            wait = self._wait
            if wait is None:
                self._woken = True
        if wait is not None:
            self._clock.wake(wait)

    def _poke(self) -> None:
        if self.loop is not None:
            self.loop.poke()


class LoopWait(Wait):
    """The wait of a thread whose event loop blocks in its own selector."""

    __slots__ = ("_poke",)

    def __init__(self, clock: VirtualClock, hold: Hold, poke: Callable[[], None]) -> None:
        super().__init__(clock, hold)
        self._poke = poke

    def open(self) -> None:
        super().open()
        self._poke()


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own selector loop on the virtual clock.

    `time()` is `time.monotonic()`, the same clock with the same origin: Prefect computes deadlines
    with the one and hands them to AnyIO, which compares them with the other.

    Its timers are the clock's own, so that each is due at the instant that it was set for, however
    often the loop has woken, and the time was read, meanwhile.

    Where it `nests` it may be run in the middle of a task of its own, or of another loop.
    """

    _nest_patched = True  # what `nest_asyncio` looks for: to its methods the hold would be lost
    _ready: deque[asyncio.Handle]
    _stopping: bool
    _selector: selectors.BaseSelector
    _process_events: Callable[[object], None]

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._timers: dict[int, tuple[Timer, float]] = {}  # and when it was set, in real time
        self._virtual_selector = VirtualSelector(clock)
        super().__init__(self._virtual_selector)
        self._virtual_selector.loop = self
        self._hold_of: Callable[[], Hold | None] = lambda: None
        self._nests: Callable[[], bool] = lambda: False

    def attach(
        self, hold_of: Callable[[], Hold | None], nests: Callable[[], bool]
    ) -> VirtualEventLoop:
        """Say how to find the hold of the thread that runs this loop, and whether it nests."""
        self._hold_of, self._nests = hold_of, nests
        return self

    def time(self) -> float:
        seconds, micros = divmod(self._clock.read(), 1_000_000)
        return seconds + micros / 1e6

    def call_at(  # type: ignore[override]  # its arguments are bound by type variables
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        seconds = when - to_micros(self._clock.now) / 1e6
        if seconds <= 0:
            self.call_soon(_run, handle)
        else:
            timer = self._clock.call_later(seconds, lambda: self._due(handle))
            self._timers[id(handle)] = timer, Real.monotonic()
        return handle

    def _due(self, handle: asyncio.TimerHandle) -> None:
        self._timers.pop(id(handle), None)
        self.call_soon_threadsafe(_run, handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        timer, _ = self._timers.pop(id(handle), (None, 0))
        if timer is not None:
            timer.cancel()

    def real_seconds_left(self) -> float:
        """How much longer a wait for the real world may last, in real seconds: until the next timer.

        Time counts from when that was set, or since when it has been as late as it is now.
        """
        if not self._timers:
            return inf
        timer, began = min(self._timers.values())
        waited = Real.monotonic() - max(began, self._clock.jumped)
        left: float = (timer.when - self._clock.instant) / 1e6 - waited
        return left

    def close(self) -> None:
        while self._timers:
            self._timers.popitem()[1][0].cancel()
        super().close()

    def run_forever(self) -> None:
        with self._holding():
            try:
                super().run_forever()
            except BaseException:
                # The simulation has ended in the middle of it: what is pending says nothing.
                self.set_exception_handler(lambda *_: None)
                raise

    def run_until_complete(self, future: Any) -> Any:
        running: asyncio.AbstractEventLoop | None = _get_running_loop()
        if running is None or not self._nests():
            with self._holding():
                return super().run_until_complete(future)
        if running is self:
            return self._run_within(future)
        try:
            _set_running_loop(None)
            with self._holding():
                return super().run_until_complete(future)
        finally:
            _set_running_loop(running)

    def _run_within(self, future: Any) -> Any:
        """Run it to its end in the middle of a task of this loop, which others go on beside."""
        task = asyncio.current_task(self)
        if task is not None:
            _leave_task(self, task)
        try:
            awaited: Any = asyncio.ensure_future(future, loop=self)
            while not awaited.done() and not self._stopping:
                self._run_once()
            if not awaited.done():
                raise RuntimeError("Event loop stopped before Future completed.")
            return awaited.result()
        finally:
            if task is not None:
                _enter_task(self, task)

    def _run_once(self) -> None:
        """As asyncio's own, without its timers, which are the clock's."""
        blocks = not self._ready and not self._stopping
        self._process_events(self._selector.select(None if blocks else 0))
        for _ in range(len(self._ready)):
            if not self._ready:
                break  # one of them has run the others, in the middle of its own
            _run(self._ready.popleft())

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Let the selector know whose hold to give up while it waits."""
        selector = self._virtual_selector
        before, selector.hold = selector.hold, self._hold_of()
        try:
            yield
        finally:
            selector.hold = before

    def call_soon_threadsafe(  # type: ignore[override]  # its arguments are bound by type variables
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._virtual_selector.wake()
        return handle

    def poke(self) -> None:
        """Make a blocked selector return, without counting anything."""
        try:
            super().call_soon_threadsafe(lambda: None)
        except RuntimeError:
            pass  # closed meanwhile: nobody is blocked in it


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()  # noqa: SLF001  as asyncio's own loops do


class VirtualEventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """Gives counted threads a virtual loop, and every other thread what it had before."""

    _local: Any  # what asyncio keeps of a thread: its loop

    def __init__(
        self,
        clock: VirtualClock,
        counted: Callable[[], Hold | None],
        nests: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._counted = counted
        self._nests = nests
        if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
            self._watcher: Any = _ProcessWatcher()

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        # As a rule, a thread has none that it has not set itself, or is warned if it is the main one.
        if self._nests() and self._local._loop is None:  # noqa: SLF001  there is no other way to ask
            self.set_event_loop(self.new_event_loop())
        return super().get_event_loop()

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        if self._counted() is None:
            return super().new_event_loop()
        return VirtualEventLoop(self._clock).attach(self._counted, self._nests)


class _ProcessWatcher:
    """Sees the end of a process in the selector of the loop that has started it.

    As asyncio's own does from Python 3.12 on. Before, it has a thread for each process that waits for
    it and can do nothing else: it would hold the clock, and no time-out would ever come.
    """

    def is_active(self) -> bool:
        return True

    def attach_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Nothing: each process belongs to the loop that runs when it is started."""

    def close(self) -> None:
        """Nothing: it has nothing of its own."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_child_handler(self, pid: int, callback: Callable[..., object], *args: Any) -> None:
        loop: Any = asyncio.get_running_loop()
        file = os.pidfd_open(pid)
        loop._add_reader(file, self._do_wait, loop, file, pid, callback, args)  # noqa: SLF001

    def remove_child_handler(self, pid: int) -> bool:
        return True

    def _do_wait(
        self, loop: Any, file: int, pid: int, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        loop._remove_reader(file)  # noqa: SLF001
        os.close(file)
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except ChildProcessError:
            code = 255  # somebody else has asked for it, as asyncio's own says
        callback(pid, code, *args)
