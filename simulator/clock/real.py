"""Waits for the real world, which nobody can hurry: a process, a socket, a pipe.

A counted thread that waits for one holds the clock. If it gets what it waits for, that has taken no
virtual time, however slow the machine is. If its time-out comes first, it has waited for as many real
seconds, and now it takes as many virtual ones: the outcome depends on real time, the time that it takes
does not. Who asks whether something is ready, is told that it is not, and sleeps, waits for it as well:
that sleep ends in real time with what it waits for, at the latest when it is over, and takes the virtual
time that it says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

from simulator.clock.holds import Hold
from simulator.clock.virtual import VirtualClock
from simulator.clock.waits import Wait
from simulator.instants import Real

_thread = threading.local()

SOON = 1e-6
"""Who lets come what is due at an instant waits for so much longer, in virtual seconds."""

LOOK_SECONDS = 0.05
"""How often one who waits in real time looks for another reason to go on, in real seconds."""


@dataclass(frozen=True)
class Asked:
    """Something of the real world that was not ready when it was asked for.

    `ready(seconds)` waits for it in real time, so long at most. Nobody waits for more than `most`.
    """

    ready: Callable[[float], bool]
    most: float = inf


def asked(what: Asked | None) -> None:
    """Take note of what the calling thread has asked for in vain; None if it got an answer."""
    _thread.asked = what


def has_asked() -> Asked | None:
    """What the calling thread has asked for last, if that was in vain."""
    what: Asked | None = getattr(_thread, "asked", None)
    return what


def wait_really(wait: Wait, seconds: float) -> None:
    """Before a virtual wait: what of it is a wait for the real world, in real time."""
    what = has_asked()
    asked(None)
    if what is None or seconds <= 0:
        return
    end = Real.monotonic() + min(seconds, what.most)
    while wait.clock.closing is None and not wait.woken and not wait.hold.dead:
        left = end - Real.monotonic()
        if left <= 0 or what.ready(min(left, LOOK_SECONDS)):
            return


def is_waiting_really() -> bool:
    """Whether the calling thread is in a real wait, of which the next one is a part."""
    waits: bool = getattr(_thread, "waits", False)
    return waits


@contextmanager
def waiting_really() -> Iterator[bool]:
    """A real wait of the calling thread: whether it is none that is part of a longer one."""
    outermost = not is_waiting_really()
    _thread.waits = True
    began = Real.monotonic()
    try:
        yield outermost
    finally:
        _thread.waits = not outermost
    if outermost and _limits():
        _overrun(Real.monotonic() - began)


def limit_waits(clock: VirtualClock, hold: Hold | None, seconds: float | None) -> None:
    """Somebody ends what the calling thread does in `seconds` of virtual time, if it still does it then.

    `hold` is that of the thread; None, as for `seconds`, is no limit. A real wait that goes on longer
    takes so many virtual seconds when it is over, and whoever watches can see it. The limit holds until
    `unlimit_waits`, and they nest.
    """
    end = inf if seconds is None else clock.instant + seconds * 1e6
    _limits().append((clock, hold, end))


def unlimit_waits() -> None:
    """Take back the last `limit_waits` of the calling thread."""
    _limits().pop()


def _limits() -> list[tuple[VirtualClock, Hold | None, float]]:
    limits: list[tuple[VirtualClock, Hold | None, float]]
    limits = vars(_thread).setdefault("limits", [])
    return limits


def _overrun(seconds: float) -> None:
    for clock, hold, end in _limits():
        left = (end - clock.instant) / 1e6
        if hold is not None and 0 <= left <= seconds:
            clock.park(Wait(clock, hold), left + SOON)


class Watching(Wait):
    """A virtual wait that ends early when something of the real world is ready.

    It is looked for in real time too: the clock may be held by who waits for what comes of it.
    """

    __slots__ = ("_ready",)

    def __init__(self, clock: VirtualClock, hold: Hold, ready: Callable[[], bool]) -> None:
        super().__init__(clock, hold)
        self._ready = ready

    def block(self) -> None:
        while not self._gate.wait(LOOK_SECONDS):
            if self._ready():
                self.clock.wake(self)


def expired(clock: VirtualClock, hold: Hold, seconds: float, what: Asked | None = None) -> bool:
    """Let the time-out of a real wait, which has come, take its virtual time.

    While somebody else holds the clock in a real wait of his own, no time passes, and what was waited
    for in vain may come by him: a server's thread that looks for requests, and a client that waits for
    its answer. So it ends early, and returns True, when `what` is ready after all.
    """
    asked(None)
    if what is None:
        return clock.park(Wait(clock, hold), seconds)
    return clock.park(Watching(clock, hold, lambda: what.ready(0)), seconds)
