"""`simulate schedule`: dates as Prefect gives them, and what a change of clocks does to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from simulator.cli import call
from simulator.project.calendar import as_icalendar, schedules_of
from simulator.project.schedules import _asked, _of_server, dates, due, meetings, overlaps

START = datetime(2026, 3, 1, tzinfo=UTC)

YAML = """
deployments:
- name: early
  entrypoint: flows.py:main_flow
  schedule: {cron: "30 2 * * *", timezone: Europe/Paris}
- name: hourly
  entrypoint: flows.py:main_flow
  schedules:
  - {cron: "0 * * * *", timezone: Europe/Paris}
  - {interval: 86400, active: false}
- name: paused
  entrypoint: flows.py:main_flow
  paused: true
  schedules: [{rrule: "FREQ=WEEKLY;BYDAY=MO"}]
"""


def of(schedule: Any, days: int = 365, **options: Any) -> Any:
    end = START + timedelta(days=days)
    return due("a/b", "x:1", schedule, active=True, start=START, end=end, **options)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "prefect.yaml").write_text(YAML)  # there is no flows.py: nothing is imported
    return tmp_path


def test_a_year_in_a_zone_has_a_run_each_day_and_names_both_changes() -> None:
    # At 04:00 nothing happens to a run, at 02:30 in autumn the hour comes twice.
    kept = of(CronSchedule(cron="0 4 * * *", timezone="Europe/Paris"))
    assert len(kept.dates) == 365
    assert [str(one.day) for one in kept.changes] == ["2026-03-29", "2026-10-25"]
    assert {one.kind for one in kept.changes} == {"kept"}
    assert kept.dates[0] == START + timedelta(hours=3)
    assert kept.dates[40] == START + timedelta(days=40, hours=2)


def test_a_run_at_an_hour_that_is_missing_is_moved_or_skipped_as_prefect_does() -> None:
    struck = of(CronSchedule(cron="30 2 * * *", timezone="Europe/Paris"), days=40)
    [change] = struck.changes
    on_that_day = [one for one in struck.dates if str(one.date()) == "2026-03-29"]
    assert change.kind == ("moved" if on_that_day else "skipped")
    assert "02:30" in change.text


def test_many_runs_a_day_are_told_by_their_number() -> None:
    [spring, autumn] = of(CronSchedule(cron="*/30 * * * *", timezone="America/New_York")).changes
    assert (spring.kind, spring.text) == ("skipped", "46 runs in place of 48")
    assert (autumn.kind, autumn.text) == (
        "skipped",
        "no run for 1h 30m, otherwise for 30m at most",  # the hour that comes twice
    )


def test_utc_has_no_changes_and_more_dates_than_prefect_gives_at_once() -> None:
    minutes = of(CronSchedule(cron="*/10 * * * *", timezone="UTC"), days=10)
    assert (len(minutes.dates), minutes.changes) == (1440, ())
    assert minutes.dates == tuple(START + n * timedelta(minutes=10) for n in range(1440))


def test_an_interval_without_an_anchor_is_counted_from_the_start() -> None:
    schedule = IntervalSchedule(interval=timedelta(hours=7))
    loose, tied = of(schedule, days=2, anchored=False), of(schedule, days=2)
    assert loose.dates[0] == START
    assert "redeployment" in loose.note
    assert not tied.note
    assert {b - a for a, b in zip(loose.dates, loose.dates[1:], strict=False)} == {
        schedule.interval
    }


def test_an_rrule_has_its_dates() -> None:
    rule = "DTSTART:20260301T000000\nFREQ=WEEKLY;BYDAY=MO;BYHOUR=5"
    assert [one.weekday() for one in of(RRuleSchedule(rrule=rule), days=28).dates] == [0] * 4


def test_instants_at_which_many_are_due() -> None:
    daily = CronSchedule(cron="0 3 * * *", timezone="UTC")
    weekly = CronSchedule(cron="0 3 * * 1", timezone="UTC")
    first = START + timedelta(days=1, hours=3)
    three = [of(daily, days=14), of(daily, days=14), of(weekly, days=14)]
    assert meetings(three, 3) == [(first, ("a/b",) * 3, 2)]


CRONS = (
    "*/15 * * * *",
    "7 */3 1-7 * 1",
    "30 1,2 * * *",
    "0 0 L * *",
    "5 0,12,23 * * 0",
    "0-59/20 2 * 3,10 *",
    "59 23 * * 5#2",
)


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe"]
)
def test_dates_of_a_cron_are_those_that_prefect_gives_one_by_one(cron: str, zone: str) -> None:
    """For five weeks each from a Thursday at noon, in spring and in autumn: clocks change in them."""
    schedule = _of_server(CronSchedule(cron=cron, timezone=zone))
    for start in (datetime(2026, 3, 5, 12, tzinfo=UTC), datetime(2026, 10, 1, 12, tzinfo=UTC)):
        end = start + timedelta(days=35, hours=7)
        assert list(dates(schedule, start, end)) == list(_asked(schedule, start, end))


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    "interval", [{"minutes": 25}, {"hours": 5}, {"hours": 23, "seconds": 7}, {"days": 1}]
)
def test_dates_of_an_interval_are_those_that_prefect_gives_one_by_one(
    interval: dict[str, int], zone: str
) -> None:
    schedule = _of_server(
        IntervalSchedule(interval=timedelta(**interval), timezone=zone, anchor_date=START)
    )
    for start in (datetime(2026, 3, 5, 12, tzinfo=UTC), datetime(2026, 10, 24, 23, 40, tzinfo=UTC)):
        for end in (start + timedelta(hours=3), start + timedelta(days=35, hours=7)):
            assert list(dates(schedule, start, end)) == list(_asked(schedule, start, end))


def test_runs_that_overlap_by_the_durations_that_are_given() -> None:
    hourly = of(CronSchedule(cron="0 * * * *", timezone="UTC"), days=1)
    [found] = overlaps([hourly], {"a": timedelta(minutes=150)}, 0)
    assert (found.deployment, found.runs, found.overlapping, found.most) == ("a/b", 24, 23, 3)
    assert found.first == START + timedelta(hours=1)
    assert overlaps([hourly], {"a": timedelta(minutes=60), "b": timedelta(days=1)}, 0) == []
    one_by_one = [timedelta(minutes=1), timedelta(minutes=61), timedelta(minutes=1)]
    [found] = overlaps([hourly], {"a": one_by_one}, 0)
    assert (found.overlapping, found.first) == (1, START + timedelta(hours=2))


def test_the_runs_of_all_schedules_of_a_deployment_overlap() -> None:
    daily = [
        of(CronSchedule(cron=f"{minute} 3 * * *", timezone="UTC"), days=2) for minute in (0, 30)
    ]
    [found] = overlaps(daily, {"a": timedelta(minutes=40)}, 0)
    assert (found.runs, found.overlapping, found.most) == (4, 2, 2)


def test_a_project_is_not_imported_for_its_schedules(project: Path) -> None:
    found, refused = schedules_of(project, START, 40)
    assert refused == []
    assert [(one.deployment, one.active, len(one.dates)) for one in found] == [
        ("main-flow/early", True, 40),
        ("main-flow/hourly", True, 960),
        ("main-flow/hourly", False, 40),
        ("main-flow/paused", False, 6),
    ]
    assert found[0].where == "prefect.yaml:3"


def test_json_and_icalendar(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["schedule", str(project), "--days", "2", "--start", "2026-03-28"]
    assert call([*arguments, "--json"]) == 0
    early, hourly, *_ = json.loads(capfd.readouterr().out)
    assert early["dates"][0] == "2026-03-28T01:30:00+00:00"
    assert len(hourly["dates"]) == 48
    assert call([*arguments, "--icalendar"]) == 0
    calendar = capfd.readouterr().out
    assert (
        calendar.count("BEGIN:VEVENT") == calendar.count("END:VEVENT") == len(early["dates"]) + 48
    )
    assert "DTSTART:20260328T013000Z" in calendar


def test_icalendar_folds_long_lines_and_escapes() -> None:
    daily = CronSchedule(cron="0 3 * * *", timezone="UTC")
    one = due("é," * 60, "", daily, active=True, start=START, end=START + timedelta(days=1))
    lines = as_icalendar([one], START).split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 75
    assert "SUMMARY:" + "é\\," * 60 in "".join(lines).replace(" ", "")


def test_the_table(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["schedule", str(project), "--start", "2026-03-01", "--days", "40"]) == 0
    said = capfd.readouterr().out
    assert "Days on which clocks change" in said
    assert (
        "Sun 2026-03-29 Europe/Paris: main-flow/hourly is skipped: 23 runs in place of 24" in said
    )
    assert "no anchor_date" in said


def test_a_calendar(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "simulation.toml").write_text('timezone = "Europe/Paris"\n')
    arguments = [
        "schedule",
        str(project),
        "--start",
        "2026-03-27T23:00:00Z",
        "--days",
        "6",
        "--calendar",
    ]
    assert call(arguments) == 0
    march, april = capfd.readouterr().out.split("2026-03")[-1].split("2026-04")
    assert "28: 25" in march
    assert "29*: 24" in march  # an hour is missing; the run at 02:30 comes at 03:30
    assert "27: " not in march
    assert "1: 25" in april
    assert "3: 1 " in april
    assert "4: " not in april


def test_the_table_tells_of_overlaps(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "simulation.toml").write_text("[durations]\nmain-flow = 1800\n")
    assert call(["schedule", str(project), "--start", "2026-03-01", "--days", "2"]) == 0
    assert "Runs that overlap" not in capfd.readouterr().out
    (project / "simulation.toml").write_text("[durations]\nmain-flow = 5400\n")
    assert call(["schedule", str(project), "--start", "2026-03-01", "--days", "2"]) == 0
    assert (
        "main-flow/hourly: 47 of 48 runs begin while another one goes on, the first at 2026-03-01 01:00Z; 2 at"
        " once at the most"
    ) in capfd.readouterr().out


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ('{cron: "61 * * * *"}', "61"),
        ('{cron: "0 2 * * *", timezone: Mars/Base}', "Mars/Base"),
    ],
)
def test_a_schedule_that_is_none(
    tmp_path: Path, schedule: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = f"deployments:\n- name: a\n  entrypoint: f.py:x\n  schedules:\n  - {schedule}\n"
    (tmp_path / "prefect.yaml").write_text(text)
    assert call(["schedule", str(tmp_path)]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("simulate: no schedule could be read: a (prefect.yaml:2): ")
    assert said in line
    assert "pydantic" not in line


def test_a_schedule_that_is_none_leaves_the_others(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (project / "prefect.yaml").open("a") as file:
        file.write('- {name: bad, entrypoint: f.py:x, schedules: [{cron: "61 * * * *"}]}\n')
    assert call(["schedule", str(project), "--days", "2"]) == 0
    said = capfd.readouterr().out
    assert "main-flow/early" in said
    assert "\nNot loaded: 1\n  bad (prefect.yaml:15): " in said
    assert call(["schedule", str(project), "--days", "2", "--json"]) == 0
    told = capfd.readouterr()
    assert len(json.loads(told.out)) == 4
    assert told.err.startswith("not loaded: bad (prefect.yaml:15): ")


def test_how_a_schedule_is_written() -> None:
    for seconds, said in ((300, "5m"), (5430, "1h 30m 30s"), (86400, "1d"), (0.5, "0:00:00.5")):
        schedule = IntervalSchedule(interval=timedelta(seconds=seconds))
        assert of(schedule, days=0).schedule.startswith(f"every {said}")
    both = {"cron": "0 2 1-7 * 1", "timezone": "UTC"}
    assert of(CronSchedule(**both)).schedule == "0 2 1-7 * 1"
    assert of(CronSchedule(**both, day_or=False)).schedule == "0 2 1-7 * 1 (day_or: false)"
