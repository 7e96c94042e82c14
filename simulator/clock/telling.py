"""Why time does not move: who holds a clock, who waits for what can never happen, and in a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from simulator.clock.holds import Hold


class Waiting(Protocol):
    """A wait, as far as it is told of here."""

    whom: Callable[[], int | None]

    @property
    def hold(self) -> Hold:
        """Who waits."""

    @property
    def timer(self) -> object:
        """What ends it at its time-out; None if it has none."""


def stall(now: datetime, seconds: float, holds: Iterable[Hold]) -> str:
    """Who has held the clock for so many real seconds."""
    holders = sorted(map(repr, holds))
    return (
        f"the clock has been held at {now:%Y-%m-%dT%H:%M:%SZ} for {seconds:g} s of real time"
        f" without progress by {len(holders)} holder(s): " + "; ".join(holders)
    )


def nothing(now: datetime, waits: Iterable[Waiting]) -> str:
    """Who waits although nothing is left to run."""
    waiters = sorted(repr(wait.hold) for wait in waits)
    who = "; ".join(waiters) if waiters else "nobody waits"
    return (
        f"nothing is left to run at {now:%Y-%m-%dT%H:%M:%SZ}, and what is waited for can never"
        f" happen: {who}"
    )


def deadlock(now: datetime, found: Sequence[Waiting]) -> str:
    """Who waits for whom, around the circle."""
    links = [
        f"{wait.hold!r} waits for a lock held by {found[(place + 1) % len(found)].hold.name}"
        for place, wait in enumerate(found)
    ]
    return f"a deadlock at {now:%Y-%m-%dT%H:%M:%SZ}: " + "; ".join(links)


def circle(waits: Iterable[Waiting]) -> list[Waiting]:
    """Those who wait for one another in a circle, each for the next one; empty if there is none."""
    by_thread = {wait.hold.ident: wait for wait in waits if wait.timer is None}
    by_thread.pop(None, None)
    for first in sorted(by_thread.values(), key=lambda wait: wait.hold.name):
        path: list[Waiting] = []
        wait: Waiting | None = first
        while wait is not None and wait not in path:
            path.append(wait)
            whom = wait.whom()
            wait = by_thread.get(whom) if whom is not None else None
        if wait is not None:
            return path[path.index(wait) :]
    return []
