"""Changes of clocks: those of the zones of schedules, within the time of the histories."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from months import BROKEN, LOST, START, write_month
from nights import made
from prefect import flow
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from simulator import Simulation
from simulator.history import Gate, History, Results, kept_histories, kept_outcomes
from simulator.report.clocks import ClockChange, clock_changes
from simulator.report.numbers import numbers


def lived(zones: tuple[str, ...], since: str, until: str) -> History:
    begin = datetime.fromisoformat(since).replace(tzinfo=UTC)
    run = made("a", begin, ("Running", 0), ("Completed", 1))
    return History(
        [run],
        now=datetime.fromisoformat(until).replace(tzinfo=UTC),
        gates=[Gate("deployment", "a/dev", zones=zones)],
    )


def told(
    *zones: str, since: str = "2026-01-01", until: str = "2027-01-01"
) -> list[tuple[str, ...]]:
    found = clock_changes([lived(zones, since, until)])
    return [(f"{one.at:%m-%d %H:%M:%S}", one.zone, one.before, one.after) for one in found]


def test_both_changes_of_a_year_are_found() -> None:
    assert told("Europe/Berlin") == [
        ("03-29 01:00:00", "Europe/Berlin", "02:00", "03:00"),
        ("10-25 01:00:00", "Europe/Berlin", "03:00", "02:00"),
    ]


def test_zones_change_at_instants_of_their_own_and_by_what_they_do() -> None:
    assert told("America/New_York", "Australia/Lord_Howe", until="2026-05-01") == [
        ("03-08 07:00:00", "America/New_York", "02:00", "03:00"),
        ("04-04 15:00:00", "Australia/Lord_Howe", "02:00", "01:30"),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "+02:00", "Nowhere/None"])
def test_what_changes_no_clocks_has_no_mark(zone: str) -> None:
    assert told(zone) == []


def test_only_what_changes_within_the_time_is_told() -> None:
    assert told("Europe/Berlin", since="2026-03-29 01:00:01", until="2026-10-25 00:59:59") == []
    assert len(told("Europe/Berlin", since="2026-03-29 00:59:59", until="2026-10-25 01:00:00")) == 2
    assert clock_changes([History([])]) == clock_changes([]) == []


def test_all_variants_have_the_same_marks() -> None:
    berlin = lived(("Europe/Berlin",), "2026-03-01", "2026-03-02")
    later = lived((), "2026-03-01", "2026-04-01")
    at = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert clock_changes([berlin, later]) == [ClockChange(at, "Europe/Berlin", "02:00", "03:00")]


@flow
def load() -> None: ...


def test_the_zones_are_those_of_the_schedules_of_a_deployment(tmp_path: Path) -> None:
    with Simulation(start="2026-03-28T00:00:00Z") as sim:
        sim.deploy(
            load,
            name="dev",
            schedules=[
                CronSchedule(cron="0 2 * * *", timezone="Europe/Berlin"),
                RRuleSchedule(rrule="FREQ=DAILY", timezone="Asia/Tokyo"),
                IntervalSchedule(interval=timedelta(days=1), timezone="America/New_York"),
                CronSchedule(cron="0 3 * * *", timezone="Europe/Berlin"),
            ],
        )
        sim.deploy(load, name="by hand")
        sim.advance(days=2)
        Results.open(tmp_path / "results.duckdb").add("a", "default", 0, sim.history())
    (history,) = kept_histories(tmp_path / "results.duckdb").values()
    zones = {gate.name: gate.zones for gate in history.gates if gate.kind == "deployment"}
    assert zones == {
        "load/dev": ("America/New_York", "Asia/Tokyo", "Europe/Berlin"),
        "load/by hand": (),
    }
    assert [one.zone for one in clock_changes([history])] == ["Europe/Berlin"]


def test_numbers_have_changes_of_clocks_and_broken_promises(tmp_path: Path) -> None:
    write_month(tmp_path / "results.duckdb")
    (scenario,) = numbers(kept_outcomes(tmp_path / "results.duckdb"))["scenarios"]
    changed = (datetime(2026, 3, 29, 1, tzinfo=UTC) - START).total_seconds()
    assert scenario["clocks"] == [
        [changed, "Europe/Berlin", "02:00", "03:00"],
        [changed, "Europe/Paris", "02:00", "03:00"],
    ]
    broken, held = scenario["variants"]
    day = timedelta(days=1)
    assert [one[7:] for one in broken["verdicts"]] == [
        [(BROKEN - START).total_seconds(), (LOST - START).total_seconds()],
        [16 * day.total_seconds() + 4 * 3600 + 600] * 2,
    ]
    assert held["verdicts"] == []


def test_a_verdict_that_is_no_promise_was_broken_at_no_instant(results: Path) -> None:
    scenario, _ = numbers(kept_outcomes(results))["scenarios"]
    assert [one[7:] for one in scenario["variants"][0]["verdicts"]] == [[None, None]]
    assert scenario["clocks"] == []
