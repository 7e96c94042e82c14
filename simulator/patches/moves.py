"""Moves of a test's own frozen time, which move the simulation that it is in."""

from __future__ import annotations

import threading
from datetime import timedelta

from simulator.clock import VirtualClock, counted
from simulator.errors import UnsupportedOperation
from simulator.instants import from_micros


class Moves:
    """Takes the simulation of `clock` to where a library that freezes time is told to go.

    What cannot be followed raises UnsupportedOperation, naming the call.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._owner = threading.get_ident()

    def to(self, micros: int, call: str) -> None:
        """Let the simulation run until `micros` microseconds since the epoch."""
        if counted() is not None or threading.get_ident() != self._owner:
            raise UnsupportedOperation(
                f"{call} in a flow would move the clock of the whole simulation: sleep in the flow,"
                " or move the time where the simulation was opened"
            )
        clock = self.clock
        if micros < clock.instant:
            raise UnsupportedOperation(
                f"{call} would take the simulation back to {from_micros(micros):%Y-%m-%dT%H:%M:%SZ}"
                f" from {from_micros(clock.instant):%Y-%m-%dT%H:%M:%SZ}: time goes on only; open the"
                " simulation inside of the frozen time, or with start="
            )
        if micros > clock.instant:
            clock.drive(from_micros(micros))

    def by(self, delta: timedelta | float, call: str) -> None:
        """Let the simulation run for `delta` (seconds, if it is a number)."""
        seconds = delta if isinstance(delta, timedelta) else timedelta(seconds=delta)
        self.to(self.clock.instant + seconds // timedelta(microseconds=1), call)
