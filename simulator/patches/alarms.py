"""Lets an alarm end a wait for the real world, as a time-out of its own does.

By an alarm (`signal.setitimer`) Prefect ends a synchronous flow or task after its `timeout_seconds`. A
main thread that waits for the real world holds the clock: the alarm would come when that wait is over.
So it waits first in real time until the alarm is due. If what it waits for has not come by then, as
much virtual time passes, and the alarm with it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from simulator.clock import SOON, Asked, counted, expired
from simulator.process import signals


def until_alarm(
    seconds: float | None, what: Asked, wait: Callable[[float], bool] | None = None
) -> float | None:
    """Before a real wait for `what` that takes `seconds` at most: let come an alarm that is due earlier.

    `wait` is another way to wait for it in real time, as `what.ready`. Returns the seconds that are
    left of the wait, in which no alarm comes. Raises what the handler of the alarm raises.
    """
    own = signals.current()
    while own is not None:
        due = own.seconds_to_alarm()
        if due >= (inf if seconds is None else seconds) or (wait or what.ready)(due):
            break
        hold = counted()
        assert hold is not None
        expired(own.clock, hold, due + SOON, what)
        seconds = None if seconds is None else seconds - due
    return seconds
