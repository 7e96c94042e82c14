"""Why time does not move: who holds a clock, who waits for what can never happen, and in a circle.

The cause comes first, with the user's own line of code; then what to do about it; libraries come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from simulator.clock.holds import Hold
from simulator.clock.standing import standing_in
from simulator.places import is_users

OTHERS = 5
"""So many threads are named beside the first."""


class Waiting(Protocol):
    """A wait, as far as it is told of here."""

    whom: Callable[[], int | None]

    @property
    def hold(self) -> Hold:
        """Who waits."""

    @property
    def timer(self) -> object:
        """What ends it at its time-out; None if it has none."""


def stall(now: datetime, seconds: float, holders: Iterable[Hold]) -> str:
    """The clock has been held for some real seconds without progress."""
    first, *others = _in_order(holders) or ["by what has just let go of it"]
    cause = (
        f"the clock has been held at {now:%Y-%m-%dT%H:%M:%SZ} for {seconds:g} s of real time without"
        f" progress by {first}"
    )
    advice = (
        "What to do: wait by what the clock can see (time.sleep, asyncio.sleep, a lock, a queue, a"
        " future); for real work that takes longer, open the simulation with a longer stall_limit."
    )
    return "\n".join([cause, advice, *_beside("It is also held by", others)])


def nothing(now: datetime, waits: Iterable[Waiting]) -> str:
    """What is waited for can never happen."""
    who = (wait.hold for wait in waits if not wait.hold.idles)
    first, *others = _in_order(who) or ["nobody"]
    cause = (
        f"nothing is left to run at {now:%Y-%m-%dT%H:%M:%SZ}, and what is waited for can never happen;"
        f" who waits: {first}"
    )
    advice = (
        "What to do: see that it happens (a deployment with a schedule, a worker that is not stopped,"
        " somebody who resumes or sets it), or wait with a time-out."
    )
    return "\n".join([cause, advice, *_beside("There also waits", others)])


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


def _in_order(holds: Iterable[Hold]) -> list[str]:
    """Those that stand in the user's own code first, those that serve others last."""
    return [repr(hold) for hold in sorted(holds, key=lambda hold: (_rank(hold), hold.name))]


def _rank(hold: Hold) -> int:
    frame = standing_in(hold.ident)
    if hold.background:
        return 3
    if frame is None:
        return 2
    return 0 if is_users(frame) else 1


def _beside(how: str, others: list[str]) -> list[str]:
    left_out = len(others) - OTHERS
    more = [f"... and {left_out} more"] if left_out > 0 else []
    return [f"{how}: {one}" for one in others[:OTHERS]] + more
