"""What a virtual clock keeps: timers, sources of events, and the waits of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from simulator.clock.holds import Hold
from simulator.clock.mutex import Gate

if TYPE_CHECKING:
    from simulator.clock.virtual import VirtualClock

TIE = 1000
"""Timers due in the same millisecond are due at the same instant. In microseconds."""


class Timer:
    """An action due at an instant. Timers fire in the order `(when, sequence)`.

    Once it fires, every read is at least `shown`: whoever sleeps for a second reads a second more.
    One that is `idle` is no reason to go on, if there is no other one.
    """

    __slots__ = ("action", "idle", "sequence", "shown", "when")

    def __init__(
        self,
        when: int,
        sequence: int,
        action: Callable[[], None],
        shown: int,
        idle: bool = False,
    ) -> None:
        self.when = when
        self.sequence = sequence
        self.action: Callable[[], None] | None = action
        self.shown = shown
        self.idle = idle

    def cancel(self) -> None:
        self.action = None

    def __lt__(self, other: Timer) -> bool:
        return (self.when, self.sequence) < (other.when, other.sequence)


class Source(Protocol):
    """Something whose next instant is worked out anew whenever the world is quiet.

    A source due at the same instant as a timer goes first, in the order in which sources were
    added: the server's loops before the worker's polls before anybody's sleep.
    """

    def next_instant(self) -> int | None:
        """Microseconds since the epoch of the next instant at which there is something to do."""

    def fire(self) -> None:
        """Do it. Called with the clock at, or a few reads past, that instant."""


class Wait:
    """A counted thread's wait. Stands in for the lock that `threading.Condition` would wait on.

    `whom` tells for which thread it waits, if it is known that it waits for one.
    """

    __slots__ = ("_gate", "clock", "error", "hold", "parked", "timed_out", "timer", "whom", "woken")

    def __init__(
        self, clock: VirtualClock, hold: Hold, whom: Callable[[], int | None] = lambda: None
    ) -> None:
        self.clock = clock
        self.hold = hold
        self.whom = whom
        self._gate = Gate()
        self.parked = False
        self.woken = False
        self.timed_out = False
        self.error: BaseException | type[BaseException] | None = None
        self.timer: Timer | None = None

    def release(self) -> None:
        """Wake the thread, taking its hold on its behalf.

        Raises RuntimeError if it was woken already, as an unlocked lock would: this is what makes
        `Condition.notify` turn to the next waiter.
        """
        if not self.clock.wake(self):
            raise RuntimeError("release unlocked lock")

    def open(self) -> None:
        self._gate.open()

    def block(self) -> None:
        self._gate.wait()


def tied(when: int) -> int:
    """`when`, in microseconds, to the tie: who computes it from reads is off by their number."""
    return (when + TIE // 2) // TIE * TIE
