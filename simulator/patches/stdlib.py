"""Teaches Python's own waiting primitives to follow a virtual clock.

Every patch of the standard library that concerns waiting stands here, is made by `installed` and
undone when it ends. `simulator.clock.waiting` says what a *counted* thread is.

What is patched, and why (Python 3.11 to 3.13):

- `time.sleep`: parks the thread. The function itself, and so wherever it was bound, and whenever.
- `Thread.start`: a thread that a test starts has the simulation's settings, and keeps them if it
  outlives it; else Prefect would give it the user's own. One that a pool lends out has whatever holds.
- `threading.Lock`, `threading.RLock`: see `simulator.clock.locks`. Their types are given other
  methods: it does not matter when or by whom a lock was made.
- `_thread.start_new_thread`: a thread that is started so is one of `threading`, which is counted; else
  whoever waits for a lock that it will release is told of a deadlock with itself.
- the lock that a module has while it is imported: a thread that waits for it waits for whoever imports
  the module, and does so in real time if that is no counted thread, such as the server's.
- `Condition.wait`, `Thread.start`, `Thread.join`: parked threads give up their hold.
- `ThreadPoolExecutor.submit`: items start one after the other, in the order of submission.
- `queue.SimpleQueue`: the C version waits on a lock of its own. The pure Python version that the
  standard library keeps beside it waits on a `Semaphore`. Thread pools take work from it.
- `threading._time`, `queue.time`: `wait_for` and `get` measure their time-outs with them: virtual
  in counted threads, real elsewhere.
- pools of threads of `multiprocessing`: see `simulator.patches.stdlib_pools`.
- what waits for the real world: see `simulator.patches.real_world` and `polled`.
- `multiprocessing`: a process of its own has a clock of its own; said clearly.
- the event loop policy: counted threads get a loop on virtual time; also where a test's plugin has
  set a policy of its own for the time of an async test.
"""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures.thread
import contextvars
import importlib._bootstrap
import multiprocessing.process
import queue
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, SupportsFloat, SupportsIndex

from simulator import caveats
from simulator.cfunctions import calling, copied, overriding
from simulator.clock import (
    Locks,
    LockType,
    Mutex,
    RLockType,
    VirtualClock,
    VirtualEventLoopPolicy,
    Wait,
    asked,
    counted,
    of_this_thread,
    start_counted,
    wait_for,
    waiter,
)
from simulator.errors import UnsupportedOperation
from simulator.instants import Real
from simulator.patches import loops, polled, real_world, stdlib_pools
from simulator.patches.driven_loops import loops_driving
from simulator.patches.nesting import is_applied
from simulator.patches.replacing import replacing, wherever_imported
from simulator.patches.time_machine import virtual_time
from simulator.places import is_users, place_of_call

_ModuleLock: Any = vars(importlib._bootstrap)["_ModuleLock"]

Poll = Callable[[types.FrameType, float], bool]

_lent: Any = vars(concurrent.futures.thread)["_worker"]
"""What the threads of a pool run."""

_real_start = threading.Thread.start
_real_join = threading.Thread.join
_real_wait = threading.Condition.wait


@contextmanager
def installed(
    clock: VirtualClock, context: contextvars.Context, poll: Poll | None = None
) -> Iterator[None]:
    """Put the whole process on `clock`, and take it off again at the end.

    `context` is where counted threads start from (a copy each). The calling thread is the driving
    one: it is not counted, and its own sleeps and waits drive the clock. `poll(frame, seconds)` may
    take over a sleep called from `frame`, and says whether it did.
    """
    with ExitStack() as stack:
        clock.home = threading.get_ident()
        stack.enter_context(virtual_time(clock))
        stack.enter_context(_patched_threads(clock, context))
        stack.enter_context(_patched_sleep(clock, poll))
        stack.enter_context(real_world.installed(clock))
        stack.enter_context(polled.installed())
        stack.enter_context(_own_processes_refused())
        stack.enter_context(_virtual_loops(clock))
        stack.enter_context(loops.followed(clock))
        yield


# -- who waits -------------------------------------------------------------------------------------


@contextmanager
def _patched_threads(clock: VirtualClock, context: contextvars.Context) -> Iterator[None]:
    locks = Locks(clock)

    def start(thread: threading.Thread) -> None:
        hold = counted()
        if hold is not None:
            own = None if hold.process is None else hold.process.context
            start_counted(thread, clock, own or context, hold.background, hold.process)
        elif (background := getattr(of_this_thread, "background", None)) is not None:
            start_counted(thread, clock, background, True)
        else:
            if vars(thread).get("_target") is not _lent:
                thread.run = partial(context.copy().run, thread.run)  # type: ignore[method-assign]
            of_this_thread.starting = True
            try:
                _real_start(thread)
            finally:
                of_this_thread.starting = False

    def start_new_thread(
        function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
    ) -> int:
        if counted() is None or getattr(of_this_thread, "starting", False):
            ident: int = real_start_new_thread(function, args, dict(kwargs or {}))
            return ident
        thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        assert thread.ident is not None
        return thread.ident

    real_start_new_thread = copied(_thread.start_new_thread)

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        hold = counted()
        record = thread.__dict__.get("_counted")
        # One that joins itself is told off by the real one.
        if hold is None or record is None or record.hold is hold:
            _real_join(thread, timeout)
            return
        wait = Wait(clock, hold)
        with record.mutex:
            if not record.done:
                record.joiners.append(wait)
            else:
                wait.woken = True
        if clock.park(wait, timeout):
            _real_join(thread)

    def condition_wait(condition: threading.Condition, timeout: float | None = None) -> bool:
        hold = waiter(clock, timeout)
        if hold is None or (timeout is not None and timeout <= 0):
            return _real_wait(condition, timeout)
        # The same steps as the standard library's, with a `Wait` in place of a lock: `notify` calls
        # its `release`.
        inner: Any = condition
        if not inner._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        wait = Wait(clock, hold)
        inner._waiters.append(wait)
        # A condition binds the methods of its lock when it is made, which may have been long ago.
        reentrant = type(inner._lock) is RLockType
        native = reentrant or type(inner._lock) is LockType
        saved = locks.release_save(inner._lock) if reentrant else inner._release_save()
        notified = False
        try:
            notified = wait_for(wait, timeout)
            return notified
        finally:
            if native:
                locks.regain(inner._lock, saved[0] if reentrant else 1)
            else:
                inner._acquire_restore(saved)
            if not notified:
                try:
                    inner._waiters.remove(wait)
                except ValueError:
                    pass

    def import_lock_acquire(lock: Any) -> bool:
        locks.importing(lock)
        return bool(real_import_lock_acquire(lock))

    real_import_lock_acquire = _ModuleLock.acquire

    def submit(
        executor: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        if counted() is None:
            return real_submit(executor, fn, *args, **kwargs)
        gate = _Gate(clock)
        return real_submit(executor, gate.run, fn, *args, **kwargs)

    real_submit = ThreadPoolExecutor.submit

    def dispatching_monotonic() -> float:
        return time.monotonic() if counted() is not None else Real.monotonic()

    replaced: list[tuple[Any, str, Any]] = [
        (threading.Thread, "start", start),
        (threading.Thread, "join", join),
        (threading.Condition, "wait", condition_wait),
        (_ModuleLock, "acquire", import_lock_acquire),
        (ThreadPoolExecutor, "submit", submit),
        (threading, "_time", dispatching_monotonic),
        (queue, "time", dispatching_monotonic),
        *wherever_imported(queue, {"SimpleQueue": queue._PySimpleQueue}),  # type: ignore[attr-defined]
        *stdlib_pools.replaced(),
    ]
    native = [(_thread.start_new_thread, start_new_thread)]
    with replacing(replaced), overriding(locks.methods()), calling(native):
        yield


class _Gate:
    """Makes the beginning of a pool's item an event of its own, in the order of submission.

    Two items for two idle threads would otherwise race for who goes first.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._mutex = Mutex()
        self._open = False
        self._wait: Wait | None = None
        clock.call_later(0, self.open)

    def open(self) -> None:
        with self._mutex:
            self._open = True
            wait = self._wait
        if wait is not None:
            self._clock.wake(wait)

    def run(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        hold = counted()
        if hold is not None:
            with self._mutex:
                if not self._open:
                    self._wait = Wait(self._clock, hold)
            if self._wait is not None:
                self._clock.park(self._wait)
        return fn(*args, **kwargs)


@contextmanager
def _patched_sleep(clock: VirtualClock, poll: Poll | None) -> Iterator[None]:
    def virtual(seconds: float) -> None:
        hold = counted()
        given: object = seconds
        if not isinstance(given, SupportsFloat | SupportsIndex):
            Real.sleep(seconds)  # says what is wrong with it
        elif hold is not None and seconds > 0:
            frame = sys._getframe(2)
            if frame.f_globals.get("__name__", "").startswith("prefect."):
                asked(None)  # what a step has asked for is no concern of the engine's delays
            if poll is None or not poll(frame, seconds):
                wait_for(Wait(clock, hold), seconds)
        elif hold is None and waiter(clock) is not None:
            clock.sleep(seconds)
        else:
            if hold is None and seconds > 0 and clock.driver not in (None, threading.get_ident()):
                _tell_of_real_sleep(sys._getframe(2))
            Real.sleep(seconds)

    with calling([(time.sleep, virtual)]):
        yield


def _tell_of_real_sleep(caller: types.FrameType) -> None:
    """Tell of a thread that a script or a test has started, which sleeps beside a clock that jumps."""
    if is_users(caller):
        caveats.tell(
            "real time",
            "a thread that no run has started sleeps in real time, while virtual time goes on at its own"
            " pace: start it in a flow, or let the test advance",
            where=place_of_call(caller),
        )


@contextmanager
def _virtual_loops(clock: VirtualClock) -> Iterator[None]:
    home = threading.get_ident()
    policy = VirtualEventLoopPolicy(clock, counted, is_applied)
    before = asyncio.get_event_loop_policy()

    def new_event_loop() -> asyncio.AbstractEventLoop:
        if counted() is not None:
            return policy.new_event_loop()
        loop = asyncio.get_event_loop_policy().new_event_loop()
        if threading.get_ident() == home:
            drive(loop)
        return loop

    asyncio.set_event_loop_policy(policy)
    try:
        with (
            loops_driving(clock) as drive,
            replacing(
                [
                    (asyncio.events, "new_event_loop", new_event_loop),
                    (asyncio, "new_event_loop", new_event_loop),
                ]
            ),
        ):
            yield
    finally:
        asyncio.set_event_loop_policy(before)


@contextmanager
def _own_processes_refused() -> Iterator[None]:
    process = multiprocessing.process.BaseProcess
    start = process.start

    def refuse(self: Any) -> None:
        if counted() is None:
            start(self)
            return
        raise UnsupportedOperation(
            f"{type(self).__name__} {self.name!r} would leave the simulation's process, where no"
            " virtual clock reaches it: use ThreadPoolTaskRunner or ThreadPoolExecutor instead"
        )

    with replacing([(process, "start", refuse)]):
        yield
