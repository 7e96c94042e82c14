"""A test's own frozen time, by freezegun or time-machine, and a simulation are one time."""

import datetime as dt
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from freezegun import api, freeze_time
from prefect import flow

from simulator import Simulation, SimulationError, UnsupportedOperation
from simulator.patches.frozen_time import frozen_start

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
TEXT = "2024-03-01T12:00:00+00:00"
HOUR = timedelta(hours=1)

Freeze = Callable[..., AbstractContextManager[Any]]
EITHER = pytest.mark.parametrize("freeze", [freeze_time, time_machine.travel])

SEEN: list[datetime] = []


@flow
def looks() -> None:
    SEEN.append(datetime.now(UTC))
    time.sleep(60)


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    SEEN.clear()
    before = (dt.datetime, time.time, time.monotonic, os.environ.get("TZ"))
    yield
    assert (dt.datetime, time.time, time.monotonic, os.environ.get("TZ")) == before
    assert not api.freeze_factories
    assert not time_machine.traveller_stack
    assert time.time() > 1.7e9


# -- around ----------------------------------------------------------------------------------------


@EITHER
def test_says_where_a_simulation_starts(freeze: Freeze) -> None:
    with freeze(TEXT):
        with Simulation() as sim:
            assert sim.start == AT
            assert sim.run(looks).start == AT
            assert dt.datetime.now(UTC) - AT < timedelta(minutes=2)
        assert (
            timedelta(0) <= dt.datetime.now(UTC) - AT - timedelta(minutes=1) < timedelta(seconds=1)
        )
    assert timedelta(0) <= SEEN[0] - AT < timedelta(seconds=1)


@EITHER
def test_a_start_that_is_given_goes_before(freeze: Freeze) -> None:
    with freeze(TEXT), Simulation(start="2025-01-01T00:00:00Z") as sim:
        assert sim.now == datetime(2025, 1, 1, tzinfo=UTC)


@EITHER
def test_a_time_that_ticks_does_not_blur_the_start(freeze: Freeze) -> None:
    with freeze(TEXT, tick=True), Simulation() as sim:
        assert sim.start == AT


def test_moving_the_frozen_time_moves_the_simulation() -> None:
    with freeze_time(TEXT) as frozen:
        with Simulation() as sim:
            sim.deploy(looks, name="dev", cron="0 * * * *")
            assert frozen.tick(HOUR) == datetime(2024, 3, 1, 13)  # noqa: DTZ001
            frozen.tick(60)
            frozen.tick(0.5)
            frozen.move_to("2024-03-01 15:30")
            assert sim.now == AT + timedelta(hours=3, minutes=30)
            assert frozen() - datetime(2024, 3, 1, 15, 30) < timedelta(seconds=1)  # noqa: DTZ001
            assert len(sim.runs("looks", state="Completed")) == 3
        assert dt.datetime.now() == datetime(2024, 3, 1, 15, 30)  # noqa: DTZ001, DTZ005


def test_moving_a_traveller_moves_the_simulation() -> None:
    with time_machine.travel(AT, tick=False) as traveller:
        with Simulation() as sim:
            sim.deploy(looks, name="dev", cron="0 * * * *")
            traveller.shift(HOUR)
            traveller.shift(60)
            traveller.move_to("2024-03-01T15:30:00Z")
            assert sim.now == AT + timedelta(hours=3, minutes=30)
            assert len(sim.runs("looks", state="Completed")) == 3
        assert dt.datetime.now(UTC) == AT + timedelta(hours=3, minutes=30)


def test_fakes_are_put_away_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("uses_time")
    module.instant, module.seconds = datetime, time.time
    monkeypatch.setitem(sys.modules, "uses_time", module)
    late = types.ModuleType("uses_time_later")
    with freeze_time(TEXT):
        assert module.instant is api.FakeDatetime
        with Simulation():
            assert (dt.datetime, dt.date) == (api.real_datetime, api.real_date)
            assert (module.instant, module.seconds) == (api.real_datetime, api.real_time)
            monkeypatch.setitem(sys.modules, "uses_time_later", late)
            late.monotonic = time.monotonic
        assert (module.instant, module.seconds) == (api.FakeDatetime, api.fake_time)
        assert late.monotonic is api.fake_monotonic
        assert dt.datetime is api.FakeDatetime
    assert (module.instant, late.monotonic) == (api.real_datetime, api.real_monotonic)


@pytest.mark.parametrize(("offset", "naive"), [(0, 12), (2, 14), (-3.5, 8.5)])
def test_naive_instants_are_freezeguns(
    monkeypatch: pytest.MonkeyPatch, offset: float, naive: float
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    midnight = datetime(2024, 3, 1)  # noqa: DTZ001
    try:
        with freeze_time(TEXT, tz_offset=offset), Simulation():
            shown = dt.datetime.now()  # noqa: DTZ005
        with Simulation(start=TEXT), freeze_time(TEXT, tz_offset=offset):
            inside = dt.datetime.now()  # noqa: DTZ005
        assert os.environ["TZ"] == "Asia/Kolkata"
    finally:
        monkeypatch.undo()
        time.tzset()
    for read in (shown, inside):
        assert timedelta(0) <= read - midnight - timedelta(hours=naive) < timedelta(seconds=1)


def test_stopping_it_inside_leaves_the_simulation_alone() -> None:
    for freezer in (freeze_time(TEXT), time_machine.travel(TEXT)):
        freezer.start()
        with Simulation() as sim:
            freezer.stop()
            assert sim.run(looks).start == AT
        assert time.time() > 1.7e9


# -- inside ----------------------------------------------------------------------------------------


@EITHER
def test_inside_it_takes_the_simulation_there(freeze: Freeze) -> None:
    with Simulation(start=TEXT) as sim:
        sim.deploy(looks, name="dev", cron="0 * * * *")
        with freeze("2024-03-01T15:30:00Z"):
            assert sim.now == AT + timedelta(hours=3, minutes=30)
            assert dt.datetime is api.real_datetime
        assert dt.datetime.now(UTC) >= AT + timedelta(hours=3, minutes=30)
        with freeze(timedelta(hours=1)) as frozen:
            move = getattr(frozen, "shift", None) or frozen.tick
            move(HOUR)
        assert abs(sim.now - AT - timedelta(hours=5, minutes=30)) < timedelta(seconds=1)
        assert len(sim.runs("looks", state="Completed")) == 5


@EITHER
def test_time_does_not_go_back(freeze: Freeze) -> None:
    with Simulation(start=TEXT) as sim:
        sim.advance(hours=1)
        told = r"would take the simulation back to 2024-03-01T12:00:00Z from 2024-03-01T13:00:00Z"
        with pytest.raises(UnsupportedOperation, match=told), freeze(TEXT):
            pass
        assert sim.now == AT + HOUR
    assert issubclass(UnsupportedOperation, SimulationError)


@EITHER
def test_in_a_flow_it_is_refused(freeze: Freeze) -> None:
    @flow
    def freezes() -> None:
        with freeze("2024-04-01T00:00:00Z"):
            pass

    with Simulation(start=TEXT) as sim:
        run = sim.run(freezes)
    assert run.state == "Failed"
    assert "in a flow would move the clock of the whole simulation" in run.message


def test_steps_are_refused() -> None:
    with freeze_time(TEXT, auto_tick_seconds=15):
        with pytest.raises(UnsupportedOperation, match="leave auto_tick_seconds out"):
            Simulation().__enter__()
    with Simulation(), pytest.raises(UnsupportedOperation, match="leave auto_tick_seconds out"):
        freeze_time(TEXT, auto_tick_seconds=15).start()


@EITHER
def test_one_that_outlives_the_simulation_goes_on_after_it(freeze: Freeze) -> None:
    with Simulation(start=TEXT):
        freezer = freeze("2024-03-01T15:30:00Z", tick=False)
        freezer.start()  # type: ignore[attr-defined]
    try:
        assert dt.datetime.now(UTC) == AT + timedelta(hours=3, minutes=30)
    finally:
        freezer.stop()  # type: ignore[attr-defined]


# -- around a test ---------------------------------------------------------------------------------


@freeze_time(TEXT)
def test_as_a_decorator_it_says_where_the_fixture_starts(simulation: Simulation) -> None:
    assert simulation.start == AT
    assert simulation.run(looks).start == AT


@time_machine.travel(AT)
def test_as_a_decorator_travel_says_so_too(simulation: Simulation) -> None:
    assert simulation.run(looks).start == AT


@freeze_time(TEXT)
class TestFrozen:
    def test_as_a_decorator_of_a_class(self, simulation: Simulation) -> None:
        assert simulation.start == AT


@freeze_time(TEXT)
@pytest.mark.simulation(start="2024-02-29T00:00:00Z")
def test_a_marker_goes_before(simulation: Simulation) -> None:
    assert simulation.start == datetime(2024, 2, 29, tzinfo=UTC)
    assert simulation.now == AT


def test_a_test_that_freezes_nothing_says_nothing() -> None:
    assert frozen_start(test_a_test_that_freezes_nothing_says_nothing) is None


FIRST_OF_ALL = """
from datetime import UTC, datetime

from freezegun import freeze_time
from prefect import flow


@flow
def tells():
    return datetime.now(UTC)


with freeze_time("2025-05-05"):
    from simulator import Simulation

    with Simulation() as sim:
        print(f"{sim.run(tells).result:%Y-%m-%d}")
        sim.advance(days=1)
    print(f"{datetime.now():%Y-%m-%d}")
print(datetime.now().year > 2025)
"""


def test_the_first_simulation_of_a_process_may_be_opened_in_frozen_time():
    # Extensions that are imported meanwhile take hold of what stands in the place of Python's functions.
    done = subprocess.run([sys.executable, "-c", FIRST_OF_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["2025-05-05", "2025-05-06", "True"]
