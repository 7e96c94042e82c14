"""Makes a test's own `time_machine.travel` and a simulation one time (time-machine 3.6).

As with `freeze_time` (see the module for freezegun): around a simulation it says where that starts,
inside it takes the simulation there, and its `shift` and `move_to` move the simulation. A traveller
whose time goes on by itself (`tick`) goes on as the simulation does.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import time_machine

from simulator.clock import VirtualClock
from simulator.instants import from_micros
from simulator.patches.moves import Moves
from simulator.patches.replacing import replacing


def travelled_to() -> datetime.datetime | None:
    """The instant to which time-machine has travelled, aware UTC; None if it has not."""
    stack = time_machine.traveller_stack
    return from_micros(stack[-1]._destination_timestamp_ns // 1000) if stack else None


def destination_of(thing: Any) -> datetime.datetime | None:
    """The instant to which `time_machine.travel(...)` will travel, aware UTC; None if it is no such."""
    if not isinstance(thing, time_machine.travel):
        return None
    return from_micros(thing.destination_timestamp_ns // 1000)


@contextmanager
def journeys_end(clock: VirtualClock) -> Iterator[None]:
    """Let travellers who set out before be, at the end, where `clock` is."""
    try:
        yield
    finally:
        for traveller in time_machine.traveller_stack:
            traveller._destination_timestamp_ns = clock.instant * 1000
            traveller._requested = False


@contextmanager
def moving(moves: Moves) -> Iterator[None]:
    """Let what is done to a traveller inside a simulation move the simulation.

    The one on top of the stack is the simulation's own clock, and stays there.
    """
    inside: dict[int, Any] = {}
    before = time_machine.traveller_stack[:-1]
    real_stop = time_machine.Traveller._stop

    def shift(traveller: Any, delta: datetime.timedelta | float) -> None:
        moves.by(delta, f"shift({delta})")

    def move_to(traveller: Any, destination: Any, tick: bool | None = None) -> None:
        timestamp, zone = time_machine.extract_timestamp_tzname(destination)
        moves.to(timestamp // 1000, f"move_to({str(destination)!r})")
        real_stop(traveller)
        traveller._destination_tzname = zone
        traveller._start()

    def start(travel: Any) -> Any:
        destination = travel.destination_timestamp_ns
        moves.to(destination // 1000, f"travel({str(from_micros(destination // 1000))!r})")
        traveller = time_machine.Traveller(destination, travel.destination_tzname, travel.tick)
        traveller._start()
        inside[id(travel)] = traveller
        return traveller

    def stop(travel: Any) -> None:
        traveller = inside.pop(id(travel), None)
        if traveller is None and before:  # it set out before the simulation
            traveller = before.pop()
            time_machine.traveller_stack.remove(traveller)
        if traveller is not None:
            traveller._stop()

    replaced: list[tuple[Any, str, Any]] = [
        (time_machine.Traveller, "shift", shift),
        (time_machine.Traveller, "move_to", move_to),
        (time_machine.travel, "start", start),
        (time_machine.travel, "stop", stop),
    ]
    try:
        with replacing(replaced):
            yield
    finally:  # those who outlive the simulation stop as they would without it
        time_machine.traveller_stack[-1:-1] = inside.values()
