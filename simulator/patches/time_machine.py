"""Puts every reader of the time in this process on a virtual clock.

time-machine 3.6, CPython 3.11 to 3.13.

time-machine changes what Python's own functions do, in C: `datetime.now`, `utcnow`, `today`,
`date.today`, `time.time`, `time_ns`, `localtime`, `gmtime`, `strftime` and `clock_gettime` of the
wall clock are virtual however they were bound, in Python and in extensions, and the classes stay
Python's own. `whenever`, in Rust, follows it by itself. Its stack of travellers is asked what time
it is: the one on top is the clock.

What it leaves alone is led to the clock here, the same way: `monotonic`, `perf_counter`, `ctime`,
`asctime`, and the other clocks of `clock_gettime`. Clocks that count the time of a CPU are real.

And some must go on in real time: pytest times its tests, and event loops that run nothing of the
simulation's have time-outs for the real world.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import time_machine

from simulator.cfunctions import calling, copied
from simulator.clock import VirtualClock
from simulator.instants import Real
from simulator.patches import files, freezegun, travel
from simulator.patches.moves import Moves
from simulator.patches.replacing import replacing


@contextmanager
def virtual_time(clock: VirtualClock) -> Iterator[None]:
    """Let every read of the time come from `clock`, in every thread."""
    with ExitStack() as stack:
        stack.enter_context(travel.journeys_end(clock))
        stack.enter_context(_wall_clock(clock))
        stack.enter_context(calling(_other_readers(clock)))
        stack.enter_context(files.virtual_ages(clock))
        stack.enter_context(replacing(_still_real()))
        stack.enter_context(replacing(_since_the_start(clock)))
        moves = Moves(clock)
        stack.enter_context(freezegun.moving(moves))
        stack.enter_context(travel.moving(moves))
        yield


@contextmanager
def _wall_clock(clock: VirtualClock) -> Iterator[None]:
    # A destination without a time zone: the process keeps its own.
    journey = time_machine.travel(0, tick=False)
    traveller: Any = journey.start()
    traveller.time_ns = lambda: clock.read() * 1000
    try:
        yield
    finally:
        journey.stop()


def _other_readers(clock: VirtualClock) -> list[tuple[Any, Callable[..., Any]]]:
    read: Callable[[], int] = clock.read

    def seconds() -> float:
        return read() / 1_000_000

    def nanoseconds() -> int:
        return read() * 1000

    # What has been read before, to time something, is compared with what is read from now on.
    lead = int(Real.perf_counter() * 1_000_000) - clock.instant

    def counter() -> float:
        return (read() + lead) / 1_000_000

    def counter_ns() -> int:
        return (read() + lead) * 1000

    def ctime(*when: Any) -> str:
        return real_ctime(*(when if when not in ((), (None,)) else (read() // 1_000_000,)))

    def asctime(*when: Any) -> str:
        return real_asctime(*(when or (time.localtime(),)))

    def clock_gettime(which: Any) -> float:
        return seconds() if _is_virtual(which) else real_gettime(which)

    def clock_gettime_ns(which: Any) -> int:
        return nanoseconds() if _is_virtual(which) else real_gettime_ns(which)

    real_ctime: Callable[..., str] = copied(time.ctime)
    real_asctime: Callable[..., str] = copied(time.asctime)
    real_gettime: Callable[..., float] = copied(time.clock_gettime)
    real_gettime_ns: Callable[..., int] = copied(time.clock_gettime_ns)
    return [
        (time.monotonic, seconds),
        (time.monotonic_ns, nanoseconds),
        (time.perf_counter, counter),
        (time.perf_counter_ns, counter_ns),
        (time.ctime, ctime),
        (time.asctime, asctime),
        (time.clock_gettime, clock_gettime),
        (time.clock_gettime_ns, clock_gettime_ns),
    ]


_VIRTUAL = {
    getattr(time, f"CLOCK_{name}")
    for name in ("REALTIME", "MONOTONIC", "MONOTONIC_RAW", "BOOTTIME", "TAI", "UPTIME_RAW")
    if hasattr(time, f"CLOCK_{name}")
} | ({5, 6} if sys.platform == "linux" else set())
"""The clocks of `clock_gettime` that do not count the time of a CPU. Linux has coarse ones as well."""


def _is_virtual(which: Any) -> bool:
    return isinstance(which, int) and which in _VIRTUAL


def _still_real() -> list[tuple[Any, str, Any]]:
    replaced: list[tuple[Any, str, Any]] = [
        (asyncio.BaseEventLoop, "time", lambda loop: Real.monotonic()),
    ]
    timing = sys.modules.get("_pytest.timing")
    if timing is not None:
        names = [name for name in ("perf_counter", "sleep", "time") if hasattr(timing, name)]
        replaced += [(timing, name, vars(Real)[name]) for name in names]
    return replaced


def _since_the_start(clock: VirtualClock) -> list[tuple[Any, str, Any]]:
    """What `relativeCreated` of a log record counts from: else it would be years."""
    began = logging.__dict__["_startTime"]
    micros = clock.instant
    return [(logging, "_startTime", micros * 1000 if isinstance(began, int) else micros / 1e6)]
