"""Telling the time: what the patches promise, and whether they are still needed."""

import datetime as dt
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import freezegun
import pydantic
import pytest
from freezegun.api import FakeDate, FakeDatetime

from simulator.clock.virtual import VirtualClock
from simulator.patches.freezegun import frozen

START = datetime(2026, 1, 5, tzinfo=UTC)
OWN: dict[str, Any] = {"datetime": dt.datetime, "date": dt.date}  # freezegun changes plain names


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def accepts(annotation: Any) -> bool:
    try:
        pydantic.TypeAdapter(annotation)
    except pydantic.errors.PydanticSchemaGenerationError:
        return False
    return True


class Schemed:
    """A type that describes itself as an instant when it is asked, as Prefect's `DateTime` does."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(dt.datetime)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (OWN["datetime"], "date-time"),
        (OWN["date"], "date"),
        (FakeDatetime, "date-time"),
        (FakeDate, "date"),
        (Schemed, "date-time"),
    ],
)
def test_pydantic_takes_freezeguns_classes_for_pythons(
    clock: VirtualClock, annotation: Any, kind: str
) -> None:
    with frozen(clock):
        adapter = pydantic.TypeAdapter(annotation)
        now = datetime.now(UTC)
        today = date.today()  # noqa: DTZ011
    assert adapter.json_schema() == {"type": "string", "format": kind}
    assert adapter.validate_python("2026-01-05") == (
        date(2026, 1, 5) if kind == "date" else datetime(2026, 1, 5)  # noqa: DTZ001
    )
    given = today if kind == "date" else now
    assert adapter.validate_python(given) is given


def test_pydantic_treats_a_users_own_subclass_as_ever(clock: VirtualClock) -> None:
    with frozen(clock):

        class Instant(datetime):
            pass

        class Day(date):
            pass

        assert not accepts(Instant)
        assert not accepts(Day)


def test_pydantic_still_needs_its_patch() -> None:
    with freezegun.freeze_time(START, real_asyncio=True):
        assert not accepts(FakeDatetime)
        assert not accepts(FakeDate)


# -- whenever --------------------------------------------------------------------------------------


def test_whenever_follows_jumps_and_reads(clock: VirtualClock) -> None:
    whenever = pytest.importorskip("whenever")
    with frozen(clock):
        before = datetime.now(UTC)
        assert before <= whenever.Instant.now().to_stdlib() <= datetime.now(UTC)
        clock.drive(START + timedelta(days=400))
        assert whenever.Instant.now().to_stdlib() == START + timedelta(days=400)
        for _ in range(10):
            before = datetime.now(UTC)
            assert before <= whenever.Instant.now().to_stdlib() <= datetime.now(UTC)
    assert abs(whenever.Instant.now().to_stdlib() - datetime.now(UTC)) < timedelta(minutes=1)
    assert not clock.followers


def test_whenever_follows_reads_of_many_threads(clock: VirtualClock) -> None:
    whenever = pytest.importorskip("whenever")

    def read() -> None:
        for _ in range(300):
            before = clock.now
            clock.read()
            seen.append((before, whenever.Instant.now().to_stdlib()))

    seen: list[tuple[datetime, datetime]] = []
    with frozen(clock):
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.read()
        assert whenever.Instant.now().to_stdlib() == clock.now
    assert len(seen) == 1200
    assert max(shown for _, shown in seen) <= clock.now


def test_whenever_still_needs_its_patch() -> None:
    whenever = pytest.importorskip("whenever")
    with freezegun.freeze_time(START, real_asyncio=True):
        assert whenever.Instant.now().to_stdlib() > START + timedelta(days=30)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Prefect reads pendulum there")
def test_prefects_now_still_needs_its_patch(clock: VirtualClock) -> None:
    from prefect.types._datetime import now

    with frozen(clock):
        assert now() == now()


def test_pythons_clocks_are_on_the_clock_and_every_read_is_new(clock: VirtualClock) -> None:
    with frozen(clock):
        reads = [datetime.now(UTC), datetime.now(UTC)]
        seconds = [time.time(), time.time(), time.monotonic(), time.monotonic()]
    assert START <= reads[0] < reads[1] < START + timedelta(seconds=1)
    assert START.timestamp() <= seconds[0] < seconds[1] < START.timestamp() + 1
    assert seconds[2] < seconds[3]
