"""Lets the time-out of a process end its waits for the real world, as a time-out of their own does.

A thread that waits for the real world holds the clock: an alarm (`signal.setitimer`, by which Prefect
ends a synchronous flow or task after its `timeout_seconds`), or the time-out of an asynchronous one,
would come when that wait is over. So it waits first in real time until that is due. If what it waits
for has not come by then, as much virtual time passes, and the time-out with it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from simulator.clock import SOON, Asked, counted, expired
from simulator.process import Own, Process, current_process, signals

deadlines: Own[dict[object, float]] = Own(lambda _: {})
"""The virtual instants, in microseconds since the epoch, at which a process ends something of its own,
but for its alarm, by what sets them."""


def until_deadline(
    seconds: float | None, what: Asked, wait: Callable[[float], bool] | None = None
) -> float | None:
    """Before a real wait for `what` that takes `seconds` at most: let come what is due earlier.

    `wait` is another way to wait for it in real time, as `what.ready`. Returns the seconds that are
    left of the wait, in which nothing is due. Raises what an alarm raises in the calling thread.
    """
    process, hold = current_process(), counted()
    while process is not None and hold is not None:
        due = _seconds_left(process)
        if due >= (inf if seconds is None else seconds) or (wait or what.ready)(due):
            break
        expired(process.clock, hold, due + SOON, what)
        seconds = None if seconds is None else seconds - due
    return seconds


def _seconds_left(process: Process) -> float:
    """Virtual seconds until the first of them; infinite if there is none."""
    now = process.clock.instant
    left = [(at - now) / 1e6 for at in deadlines.of(process).values()]
    left.append(signals.of(process).timer()[0])
    return min((one for one in left if one > 0), default=inf)
