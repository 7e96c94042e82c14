"""Makes a test's own `freeze_time` and a simulation one time (freezegun 1.5).

Around a simulation it says where that starts. Its fake classes and functions are put away meanwhile:
the time is virtual without them, and an extension that is imported for the first time while they are
in place kills the process. Inside a simulation it takes the simulation to the instant it is given.
Either way what moves the frozen time moves the simulation, and Python's naive instants are those of
freezegun's `tz_offset`, by default UTC.
"""

from __future__ import annotations

import copyreg
import datetime
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from freezegun import api

from simulator.clock import VirtualClock
from simulator.errors import UnsupportedOperation
from simulator.instants import from_micros, to_micros
from simulator.patches.moves import Moves
from simulator.patches.replacing import replacing

_FUNCTIONS = ("gmtime", "localtime", "strftime", "time", "monotonic", "perf_counter")
_FUNCTIONS_NS = ("time_ns", "monotonic_ns", "perf_counter_ns")
_FAKES: dict[Any, Any] = {
    api.FakeDatetime: api.real_datetime,
    api.FakeDate: api.real_date,
} | {vars(api)[f"fake_{name}"]: vars(api)[f"real_{name}"] for name in (*_FUNCTIONS, *_FUNCTIONS_NS)}
_PICKLED: dict[Any, Any] = {
    api.real_date: api.pickle_fake_date,
    api.real_datetime: api.pickle_fake_datetime,
}


def frozen_at() -> datetime.datetime | None:
    """The instant at which freezegun has frozen the time, aware UTC; None if it has not."""
    return aware(api.freeze_factories[-1].time_to_freeze) if api.freeze_factories else None


def aware(naive: datetime.datetime) -> datetime.datetime:
    """An instant of freezegun's, which is naive and in UTC, as an aware one."""
    return api.real_datetime.replace(naive, tzinfo=datetime.UTC)


def _naive(micros: int) -> datetime.datetime:
    return from_micros(micros).replace(tzinfo=None)


# -- around a simulation ---------------------------------------------------------------------------


@contextmanager
def thawed(clock: VirtualClock) -> Iterator[None]:
    """Put freezegun's fakes away, if there are any, and back at the end if it has not stopped.

    The frozen time is then what `clock` shows at the end. Raises UnsupportedOperation for a frozen
    time that each read of it moves on.
    """
    _begun.clear()
    with _without_fakes(clock):
        yield
    while _begun:
        freezer = _begun.pop(0)
        freezer.time_to_freeze = _naive(clock.instant)
        freezer.start()


_begun: list[Any] = []
"""Each `freeze_time` that has begun inside. One that outlives the simulation begins in earnest then."""


@contextmanager
def _without_fakes(clock: VirtualClock) -> Iterator[None]:
    if not api.freeze_factories:
        yield
        return
    if isinstance(api.freeze_factories[-1], api.StepTickTimeFactory):
        raise UnsupportedOperation(_NO_STEPS)
    with put_away():
        try:
            with _offset(api.tz_offsets[-1]):
                yield
        finally:
            for factory in api.freeze_factories:
                factory.move_to(_naive(clock.instant))


@contextmanager
def put_away() -> Iterator[None]:
    """Put freezegun's fakes away, if there are any, while extensions may be imported.

    At the end they are back, also in the modules that are new, unless it has stopped meanwhile.
    """
    if not api.freeze_factories:
        yield
        return
    loaded = list(sys.modules.values())
    away = _exchange(loaded, _FAKES)
    for real in _PICKLED:
        copyreg.dispatch_table.pop(real)
    try:
        yield
    finally:
        if api.freeze_factories:
            copyreg.dispatch_table.update(_PICKLED)
            for module, name, fake in away:
                setattr(module, name, fake)
            known = set(map(id, loaded))
            new = [module for module in list(sys.modules.values()) if id(module) not in known]
            _exchange(new, {real: fake for fake, real in _FAKES.items()})


def _exchange(modules: list[Any], others: dict[Any, Any]) -> list[tuple[Any, str, Any]]:
    """Set each name in `modules` that is bound to a key of `others` to its value. Returns old ones."""
    by_id = {id(one): other for one, other in others.items()}
    found = [
        (module, name, value)
        for module in modules
        if module is not api
        for name, value in list(getattr(module, "__dict__", {}).items())
        if id(value) in by_id
    ]
    for module, name, value in found:
        setattr(module, name, by_id[id(value)])
    return found


# -- inside a simulation ---------------------------------------------------------------------------


@contextmanager
def moving(moves: Moves) -> Iterator[None]:
    """Let what is done to frozen time inside a simulation move the simulation."""
    offsets: list[ExitStack] = []
    real_stop = api._freeze_time.stop

    def read(factory: Any) -> datetime.datetime:
        return _naive(moves.clock.read())

    def tick(factory: Any, delta: datetime.timedelta | float = 1) -> datetime.datetime:
        moves.by(delta, f"tick({delta})")
        factory.time_to_freeze = now = _naive(moves.clock.instant)
        return now

    def move_to(factory: Any, target: Any) -> None:
        moves.to(to_micros(aware(api._parse_time_to_freeze(target))), f"move_to({str(target)!r})")
        factory.time_to_freeze = _naive(moves.clock.instant)

    def start(freezer: Any) -> Any:
        if freezer.auto_tick_seconds:
            raise UnsupportedOperation(_NO_STEPS)
        frozen = freezer.time_to_freeze
        moves.to(to_micros(aware(frozen)), f"freeze_time({str(frozen)!r})")
        offset = ExitStack()
        offset.enter_context(_offset(freezer.tz_offset))
        offsets.append(offset)
        _begun.append(freezer)
        return api.FrozenDateTimeFactory(frozen)

    def stop(freezer: Any) -> None:
        if freezer in _begun:
            _begun.remove(freezer)
            offsets.pop().close()
        else:  # it has started before the simulation
            copyreg.dispatch_table.update(_PICKLED)  # which it removes
            real_stop(freezer)

    replaced: list[tuple[Any, str, Any]] = [
        (factory, name, function)
        for factory in (api.FrozenDateTimeFactory, api.TickingDateTimeFactory)
        for name, function in (("__call__", read), ("tick", tick), ("move_to", move_to))
    ]
    replaced += [(api._freeze_time, "start", start), (api._freeze_time, "stop", stop)]
    try:
        with replacing(replaced):
            yield
    finally:
        while offsets:
            offsets.pop().close()


@contextmanager
def _offset(offset: datetime.timedelta) -> Iterator[None]:
    """Make `offset` from UTC the time zone of the process: freezegun's naive instants are there."""
    before = os.environ.get("TZ")
    hours, minutes = divmod(abs(offset) // datetime.timedelta(minutes=1), 60)
    east = offset >= datetime.timedelta(0)
    # In POSIX's notation, hours east of Greenwich are negative.
    zone = (
        f"<{'+' if east else '-'}{hours:02}{minutes:02}>{'-' if east else ''}{hours}:{minutes:02}"
    )
    os.environ["TZ"] = zone if offset else "UTC0"
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = before
        time.tzset()


_NO_STEPS = (
    "freeze_time(auto_tick_seconds=...) moves the time with each read, and a simulation moves it"
    " itself: leave auto_tick_seconds out"
)

with put_away():
    # It takes hold of Python's functions as it is imported, and writes into what it holds.
    import time_machine  # noqa: F401
