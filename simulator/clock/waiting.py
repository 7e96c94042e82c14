"""Who waits: threads that hold a virtual clock, except while they are parked.

A *counted* thread holds the clock from its start to its end, except while it is parked: in
`time.sleep`, in a `Condition.wait` (so also `Event`, `Semaphore`, `Barrier`, `queue.Queue`,
`Future.result`), before a `Lock` that is held in virtual time, in `Thread.join` of another counted
thread, or in the selector of its event loop.
Whatever a counted thread starts is counted. Any other blocking call keeps its hold: real work takes
no virtual time. Python's own primitives are taught so by `simulator.patches.stdlib`.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simulator.clock.holds import Hold, Mortal
from simulator.clock.mutex import Mutex
from simulator.clock.real import has_asked, wait_really
from simulator.clock.virtual import VirtualClock
from simulator.clock.waits import Wait
from simulator.errors import NothingToRun
from simulator.instants import Real

of_this_thread = threading.local()
"""The calling thread's `hold`; whether it is `starting` another one, or starts `background` ones."""


GRACE_SECONDS = 1.0
"""How long a thread may go on to ask the server when the simulation has ended, in real seconds."""

_holds: dict[int, Hold] = {}
"""The holds of all counted threads that have not ended, by thread."""


def counted() -> Hold | None:
    """The hold of the calling thread; None if it is not counted."""
    return getattr(of_this_thread, "hold", None)


def waiter(clock: VirtualClock, seconds: float | None = None) -> Hold | None:
    """For whom the calling thread waits in virtual time; None if it is to wait in real time.

    The home thread's own wait lets the world run; with a time-out of `seconds` it is one for the real
    world (its own `sleep` and `advance` are what moves time).
    """
    hold = counted()
    if hold is None and clock.closing is not None:
        return None  # time has come to its end: what is still at work is waited for as it is
    ident = threading.get_ident()
    if hold is not None or ident != clock.home or clock.driver == ident or seconds is not None:
        return hold
    starting = getattr(of_this_thread, "starting", False)
    return None if starting else Hold("the driving thread", ident)


def wait_for(wait: Wait, seconds: float | None = None) -> bool:
    """Wait in virtual time, for so many seconds at most. False at the time-out."""
    if counted() is not None:
        if seconds is not None and has_asked() is not None:
            wait_really(wait, seconds)
        return wait.clock.park(wait, seconds)
    try:
        wait.clock.drive(None, done=lambda: wait.woken)
    except NothingToRun:
        # Nothing virtual can wake it: a thread of the real world may.
        try:
            wait.clock.park(wait)
        finally:
            wait.clock.release(wait.hold)
    return True


def end_restless(clock: VirtualClock) -> None:
    """Raise what ends a simulation in a counted thread that never waits, but still asks."""
    hold = counted()
    if hold is None or hold.background or clock.closing is None:
        return
    if Real.monotonic() - clock.closed > GRACE_SECONDS:
        raise clock.closing


def takes_virtual_time(clock: VirtualClock, thread: int) -> bool:
    """Whether what a thread does next may be a matter of virtual time: it is not one of the real
    world, which goes on by itself.
    """
    return thread in _holds or thread == clock.home or thread not in sys._current_frames()


def is_going_on(thread: int) -> bool:
    """Whether a thread has not ended, and is not of a process that was killed."""
    hold = _holds.get(thread)
    return not hold.dead if hold is not None else thread in sys._current_frames()


class _CountedThread:
    """What is known about a counted thread: its clock and its hold, and who waits for its end."""

    __slots__ = ("clock", "done", "hold", "joiners", "mutex")

    def __init__(self, clock: VirtualClock, hold: Hold) -> None:
        self.clock = clock
        self.hold = hold
        self.done = False
        self.joiners: list[Wait] = []
        self.mutex = Mutex()

    def finish(self) -> None:
        with self.mutex:
            self.done = True
            joiners, self.joiners = self.joiners, []
        for wait in joiners:
            wait.clock.wake(wait)


def start_counted(
    thread: threading.Thread,
    clock: VirtualClock,
    context: contextvars.Context | None = None,
    background: bool = False,
    process: Mortal | None = None,
) -> None:
    """Start `thread` so that it holds `clock` from now until it ends, except while it waits.

    It runs in a copy of `context`: a new thread starts with an empty one, and Prefect would fall
    back to the settings of the user's own profile. A thread in the `background`, and what it starts,
    is not interrupted when the simulation ends. It belongs to `process`, and so does what it starts.
    """
    hold = Hold(f"thread {thread.name!r}", background=background, process=process)
    record = _CountedThread(clock, hold)
    thread.__dict__["_counted"] = record
    run = thread.run
    if context is not None:
        run = _in_context(run, context.copy())

    # However a simulation ends, no thread of it may keep the interpreter from ending.
    declared, thread.daemon = thread.daemon, True

    def counted_run() -> None:
        vars(thread)["_daemonic"] = declared  # what its own threads are by default
        hold.ident = threading.get_ident()
        _holds[hold.ident] = of_this_thread.hold = hold
        try:
            run()
        except BaseException as error:
            if clock.closing is None or not isinstance(error, clock.closing):
                raise
        finally:
            of_this_thread.hold = None
            del _holds[hold.ident]
            record.finish()
            clock.release(hold)

    thread.run = counted_run  # type: ignore[method-assign]
    clock.hold(hold)
    starter, of_this_thread.starting = counted(), True
    try:
        of_this_thread.hold = None
        _real_start(thread)
    except BaseException:
        clock.release(hold)
        raise
    finally:
        of_this_thread.hold, of_this_thread.starting = starter, False


def _in_context(run: Callable[[], None], context: contextvars.Context) -> Callable[[], None]:
    return lambda: context.run(run)


@contextmanager
def starting_background(context: contextvars.Context) -> Iterator[None]:
    """Count the threads that the calling thread starts in a `with` block, in the background."""
    of_this_thread.background = context
    try:
        yield
    finally:
        of_this_thread.background = None


def join_counted(clock: VirtualClock, background: bool, seconds: float = 10.0) -> list[str]:
    """Wait, in real time, for a clock's threads to end. Returns the names of those that did not."""
    deadline = Real.monotonic() + seconds
    threads = [
        thread
        for thread in threading.enumerate()
        if (record := thread.__dict__.get("_counted"))
        and record.clock is clock
        and record.hold.background == background
    ]
    for thread in threads:
        _real_join(thread, max(0.0, deadline - Real.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


_real_start = threading.Thread.start
_real_join = threading.Thread.join
