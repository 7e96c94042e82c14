"""Telling the time: what the patches promise, and whether they are still needed."""

import asyncio
import dataclasses
import datetime as dt
import inspect
import logging
import operator
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pydantic
import pytest
import time_machine
from prefect.types._datetime import now as prefect_now

from simulator.cfunctions import calling, copied
from simulator.clock.virtual import VirtualClock
from simulator.instants import Real
from simulator.patches.time_machine import virtual_time

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_pythons_clocks_are_on_the_clock_and_every_read_is_new(clock: VirtualClock) -> None:
    with virtual_time(clock):
        reads = [datetime.now(UTC), datetime.now(UTC)]
        seconds = [time.time(), time.time(), time.monotonic(), time.monotonic()]
    assert START <= reads[0] < reads[1] < START + timedelta(seconds=1)
    assert START.timestamp() <= seconds[0] < seconds[1] < START.timestamp() + 1
    assert seconds[2] < seconds[3]


# -- bound before ----------------------------------------------------------------------------------


@dataclasses.dataclass
class Noted:
    at: datetime = dataclasses.field(default_factory=datetime.now)


class Stamped(pydantic.BaseModel):
    at: datetime = pydantic.Field(default_factory=partial(datetime.now, UTC))
    on: date = pydantic.Field(default_factory=date.today)


class Subclass(datetime):
    pass


class Clock:
    now = datetime.now
    seconds = time.time

    def __init__(self) -> None:
        self.monotonic = time.monotonic


CLOCK = Clock()


def enclosed() -> Callable[[], float]:
    read = time.monotonic
    return lambda: read()


def with_default(read: Callable[[], int] = time.monotonic_ns) -> int:
    return read()


def seconds_of(naive: datetime) -> float:
    return naive.timestamp()


BOUND: dict[str, Callable[[], float]] = {
    "default_factory of a dataclass": lambda: seconds_of(Noted().at),
    "default_factory of a model": lambda: Stamped().at.timestamp(),
    "class attribute": lambda: seconds_of(Clock.now()),
    "function as a class attribute": lambda: Clock.seconds(),
    "instance attribute": lambda: CLOCK.monotonic(),
    "closure": enclosed(),
    "default argument": lambda: with_default() / 1e9,
    "value of a dict": lambda readers={"now": time.time_ns}: readers["now"]() / 1e9,
    "partial": partial(time.clock_gettime, time.CLOCK_REALTIME),
    "partial of another clock": partial(time.clock_gettime, time.CLOCK_MONOTONIC),
    "subclass": lambda: seconds_of(Subclass.now()),
    "bound method of a subclass": lambda read=Subclass.utcnow: (
        read().replace(tzinfo=UTC).timestamp()
    ),
    "methodcaller": lambda read=operator.methodcaller("today"): seconds_of(read(datetime)),
    "ctime": lambda read=time.ctime: time.mktime(time.strptime(read())),
    "asctime": lambda read=time.asctime: time.mktime(time.strptime(read())),
    "localtime": lambda read=time.localtime: time.mktime(read()),
    "strftime": lambda read=time.strftime: float(read("%s")),
    "date.today of a model": lambda: seconds_of(datetime.combine(Stamped().on, dt.time())),
}


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
@pytest.mark.parametrize("how", BOUND)
def test_what_was_bound_before_follows(clock: VirtualClock, how: str) -> None:
    slack = 86_400 if "today of" in how else 1
    with virtual_time(clock):
        assert START.timestamp() - 1 <= BOUND[how]() <= START.timestamp() + 1
        clock.drive(START + timedelta(days=3, hours=5))
        at = clock.now.timestamp()
        assert at - slack <= BOUND[how]() <= at + 1
    assert abs(BOUND[how]() - at) > 86_400


def test_clocks_of_a_cpu_are_real(clock: VirtualClock) -> None:
    with virtual_time(clock):
        assert 0 < time.process_time() < 1e6
        assert 0 < time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) < 1e6
        assert 0 < time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID) < 1e15


def test_wrong_arguments_are_told_as_ever(clock: VirtualClock) -> None:
    def complaint(call: Callable[[], object]) -> str:
        with pytest.raises((TypeError, OSError)) as told:
            call()
        return f"{told.type} {told.value}"

    wrong: list[Callable[[], object]] = [
        lambda: time.clock_gettime("x"),  # type: ignore[arg-type]
        lambda: time.clock_gettime(4711),
        lambda: time.ctime("x"),  # type: ignore[arg-type]
        lambda: time.asctime(3),  # type: ignore[arg-type]
        lambda: time.monotonic(1),  # type: ignore[call-arg]
    ]
    outside = [complaint(call) for call in wrong]
    with virtual_time(clock):
        assert [complaint(call) for call in wrong] == outside


def test_functions_are_themselves(clock: VirtualClock) -> None:
    with virtual_time(clock):
        assert pickle.loads(pickle.dumps(time.monotonic)) is time.monotonic
        assert repr(time.perf_counter) == "<built-in function perf_counter>"
        assert type(datetime.now()) is dt.datetime  # noqa: DTZ005
        assert isinstance(datetime.now(UTC), datetime)


def test_whenever_follows_by_itself(clock: VirtualClock) -> None:
    whenever = pytest.importorskip("whenever")
    with virtual_time(clock):
        clock.drive(START + timedelta(days=400))
        reads = [whenever.Instant.now().to_stdlib() for _ in range(3)]
    assert reads == [START + timedelta(days=400, microseconds=number) for number in range(3)]


def test_prefects_now_never_shows_an_instant_twice(clock: VirtualClock) -> None:
    with virtual_time(clock):
        assert len({prefect_now() for _ in range(100)}) == 100


def test_the_repeated_hour_is_told_from_the_first(clock: VirtualClock) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    with virtual_time(clock):
        clock.drive(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        first = datetime.now(berlin)
        clock.drive(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
        second = datetime.now(berlin)
    assert (first.hour, first.fold, second.hour, second.fold) == (2, 0, 2, 1)


def test_a_function_in_c_can_be_led_elsewhere_and_back() -> None:
    before = time.monotonic
    with calling([(time.monotonic, lambda: 1.0)]):
        with calling([(time.monotonic, lambda: 2.0)]):
            assert before() == 2.0
        assert before() == 1.0
    assert abs(before() - Real.monotonic()) < 60


def test_only_functions_in_c_are_touched() -> None:
    def function() -> None: ...

    for wrong in (function, datetime, "abc".upper, dict.fromkeys):
        with pytest.raises(TypeError):
            with calling([(wrong, function)]):
                pass
    with pytest.raises(TypeError):
        copied(function)


def test_the_machines_own_clock_is_had_also_while_another_is_shown() -> None:
    program = """
import freezegun, time_machine
with {fake}:
    from simulator.instants import Real
    assert Real.time() > 1e9, Real.time()
    print(Real.time())
"""
    for fake in ("freezegun.freeze_time('1970-01-02')", "time_machine.travel('1970-01-02T00:00Z')"):
        told = subprocess.run([sys.executable, "-c", program.format(fake=fake)], check=False)
        assert told.returncode == 0


def test_time_machine_still_leaves_some_readers_alone() -> None:
    with time_machine.travel(0, tick=False):
        assert time.monotonic() > 1
        assert time.perf_counter() > 1
        assert "1970" not in time.ctime()
        assert "1970" not in time.asctime()
        assert time.clock_gettime(time.CLOCK_MONOTONIC) > 1


def test_pytest_still_times_with_functions_that_are_virtual(clock: VirtualClock) -> None:
    from _pytest import timing

    kept = {name: vars(timing)[name] for name in ("perf_counter", "sleep", "time")}
    assert kept == {name: vars(time)[name] for name in kept}
    with virtual_time(clock):
        assert abs(timing.time() - Real.time()) < 60
        assert abs(timing.perf_counter() - Real.perf_counter()) < 60


def test_loops_that_are_not_the_simulations_still_need_their_own_time(clock: VirtualClock) -> None:
    with virtual_time(clock):
        loop = asyncio.SelectorEventLoop()
        assert abs(loop.time() - Real.monotonic()) < 60
        loop.close()
    assert "monotonic" in inspect.getsource(asyncio.BaseEventLoop.time)


def test_log_records_count_from_the_start(clock: VirtualClock) -> None:
    with virtual_time(clock):
        clock.drive(START + timedelta(seconds=90))
        record = logging.makeLogRecord({})
        made = logging.LogRecord("a", 20, "f", 1, "m", (), None)
    assert record.created != made.created
    assert made.relativeCreated == pytest.approx(90_000, abs=1)
