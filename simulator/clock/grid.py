"""What a real server or worker does again and again, left out where it cannot have an effect.

A loop of the real world becomes a source of the clock's events: it is due at the points of its grid
at which there is something for it to do. What there is to do is read from the database. After
something has been written the loop looks at its next point whether there is something to do by now,
and not before: a look is one query, and a quiet month has no looks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta

from simulator.clock.virtual import VirtualClock
from simulator.instants import to_micros

SECOND = 1_000_000

Candidate = tuple[int, Hashable]
"""From when on (microseconds since the epoch) a loop can have an effect, and on what.

What the loop has been run for once is not tried again: the second part must name everything on which
the effect depends.
"""


class GridLoop:
    """One loop, every `period`. A source of the clock's events, at rest until it is begun.

    `candidates()` tells what there is to do, now or later, `act()` does it, and `written()` is a
    number that changes whenever the candidates may have changed.
    """

    def __init__(
        self,
        name: str,
        period: timedelta,
        clock: VirtualClock,
        written: Callable[[], int],
        candidates: Callable[[], Iterable[Candidate]],
        act: Callable[[], None],
    ) -> None:
        self.name = name
        self.fired = 0
        self._period = period // timedelta(microseconds=1)
        self._clock = clock
        self._written = written
        self._candidates = candidates
        self._act = act
        self._origin: int | None = None
        self._last = -1
        self._seen: int | None = None
        self._next: int | None = None
        self._tried: set[Hashable] = set()

    def __repr__(self) -> str:
        return f"<{self.name}, fired {self.fired} times>"

    def begin(self, at_once: bool = True) -> None:
        """Run from now on: for the first time now, or else after one period.

        The grid is one of whole seconds, and a scheduled run starts on time. A real worker polls in
        between, and its runs may start half a second early or late: Prefect's server rounds the wait
        that it orders to the nearest second (`WaitForScheduledTime`).
        """
        self._origin = self._clock.instant // SECOND * SECOND
        self._last = self._origin - 1 if at_once else self._origin
        self._seen = None

    def end(self) -> None:
        """Run no longer."""
        self._origin = None

    @property
    def running(self) -> bool:
        return self._origin is not None

    def next_instant(self) -> int | None:
        if self._origin is None:
            return None
        if self._written() == self._seen:
            return self._next
        if self._last < self._origin:
            return self._origin
        # Not from `now`, which reads have moved past a point that others have just fired at.
        return self._point(self._clock.instant)

    def is_due(self, instant: int) -> bool:
        """Whether to fire at `instant`, which has come, for all that may have happened at it."""
        if self._origin is None or (instant - self._origin) % self._period:
            return False
        return self._last < instant and (self._written() != self._seen or self._next == instant)

    def fire(self) -> None:
        now = to_micros(self._clock.now)
        self._last = self._clock.instant
        self._seen = self._written()
        candidates = list(self._candidates())
        self._tried &= {what for _, what in candidates}
        waiting = [one for one in candidates if one[1] not in self._tried]
        due = {what for when, what in waiting if when <= now}
        if due:
            self.fired += 1
            self._tried |= due
            self._seen = None
            self._act()
        else:
            first = min((when for when, _ in waiting), default=None)
            self._next = None if first is None else self._point(first)

    def _point(self, earliest: int) -> int | None:
        """The first point of the grid at or after `earliest` that has not been used."""
        if self._origin is None:
            return None
        since = max(earliest, self._last + 1) - self._origin
        return self._origin - (-since // self._period) * self._period


class GridLoops:
    """Loops of one server. Those that meet at an instant fire at it one after the other, in order,
    each seeing what the ones before it have written.
    """

    def __init__(self, clock: VirtualClock, loops: Iterable[GridLoop]) -> None:
        self.loops = list(loops)
        self._clock = clock
        self._instant: int | None = None

    def next_instant(self) -> int | None:
        instants = (loop.next_instant() for loop in self.loops)
        self._instant = min((one for one in instants if one is not None), default=None)
        return self._instant

    def fire(self) -> None:
        instant = self._instant
        for loop in self.loops:
            if instant is not None and loop.is_due(instant):
                loop.fire()
                self._clock.settle()
