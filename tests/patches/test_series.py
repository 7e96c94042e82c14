"""What one series of Prefect needs and another one does not."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from prefect.client.schemas.schedules import CronSchedule
from prefect.types import _datetime as prefect_datetime

from simulator import Simulation, versions
from simulator.patches import prefect as patches

SERIES = versions.series()


@pytest.fixture
def readings(monkeypatch):
    """How often the names of all time zones are read from the disk."""
    read = prefect_datetime.available_timezones
    readings: list[None] = []

    def available_timezones():
        readings.append(None)
        return read()

    monkeypatch.setattr(prefect_datetime, "available_timezones", available_timezones)
    getattr(prefect_datetime.get_timezones, "cache_clear", lambda: None)()
    return readings


def load_schedules() -> None:
    for hour in range(3):
        CronSchedule(cron=f"0 {hour} * * *", timezone="Europe/Berlin")


@pytest.mark.skipif(SERIES != "3.8", reason="a patch of 3.8 alone")
def test_the_names_of_all_time_zones_would_be_read_again_and_again(readings):
    load_schedules()
    assert len(readings) == 3


@pytest.mark.skipif(SERIES == "3.8", reason="3.8 needs a patch for it")
def test_the_names_of_all_time_zones_are_kept_by_prefect(readings):
    load_schedules()
    assert len(readings) == 1


@pytest.mark.skipif(SERIES != "3.8", reason="a patch of 3.8 alone")
def test_the_names_of_all_time_zones_are_read_once():
    with Simulation():
        zones = prefect_datetime.available_timezones
        assert zones() is zones()
        assert "Europe/Berlin" in zones()
    assert prefect_datetime.available_timezones is not zones


def test_each_series_that_is_allowed_has_a_file_of_its_own():
    files = {module.name for module in pkgutil.iter_modules(patches.__path__)}
    of_series = {name for name in files if name.startswith("v")}
    allowed = {
        f"v3_{n}" for n in range(100) if f"3.{n}.99" in versions.SpecifierSet(versions.PREFECT)
    }
    assert of_series == allowed
    own = importlib.import_module(f"{patches.__name__}.v{SERIES.replace('.', '_')}")
    assert patches.of_series() is own.REPLACED
