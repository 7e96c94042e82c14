"""Who waits: threads that hold a virtual clock, except while they are parked.

A *counted* thread holds the clock from its start to its end, except while it is parked: in
`time.sleep`, in a `Condition.wait` (so also `Event`, `Semaphore`, `Barrier`, `queue.Queue`,
`Future.result`), in `Thread.join` of another counted thread, or in the selector of its event loop.
Whatever a counted thread starts is counted. Any other blocking call keeps its hold: real work takes
no virtual time. Python's own primitives are taught so by `simulator.patches.stdlib`.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simulator.clock.holds import Hold, Mortal
from simulator.clock.virtual import VirtualClock, Wait
from simulator.instants import Real

of_this_thread = threading.local()
"""The calling thread's `hold`; whether it is `starting` another one, or starts `background` ones."""


def counted() -> Hold | None:
    """The hold of the calling thread; None if it is not counted."""
    return getattr(of_this_thread, "hold", None)


class _CountedThread:
    """What is known about a counted thread: its hold, and who waits for its end."""

    __slots__ = ("done", "hold", "joiners", "mutex")

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        self.done = False
        self.joiners: list[Wait] = []
        self.mutex = threading.Lock()

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
    record = _CountedThread(hold)
    thread.__dict__["_counted"] = record
    run = thread.run
    if context is not None:
        run = _in_context(run, context.copy())

    # However a simulation ends, no thread of it may keep the interpreter from ending.
    declared, thread.daemon = thread.daemon, True

    def counted_run() -> None:
        vars(thread)["_daemonic"] = declared  # what its own threads are by default
        hold.ident = threading.get_ident()
        of_this_thread.hold = hold
        try:
            run()
        except BaseException as error:
            if clock.closing is None or not isinstance(error, clock.closing):
                raise
        finally:
            of_this_thread.hold = None
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


def join_counted(background: bool, seconds: float = 10.0) -> list[str]:
    """Wait, in real time, for counted threads to end. Returns the names of those that did not."""
    deadline = Real.monotonic() + seconds
    threads = [
        thread
        for thread in threading.enumerate()
        if (record := thread.__dict__.get("_counted")) and record.hold.background == background
    ]
    for thread in threads:
        _real_join(thread, max(0.0, deadline - Real.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


_real_start = threading.Thread.start
_real_join = threading.Thread.join
