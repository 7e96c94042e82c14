"""Two crons an hour apart, and four kinds of night."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect import Flow

from pipelines import synchronised_crons
from simulator import Simulation
from simulator.measures import Build, Measure, freshness_attainment, mean, stale_reads, staleness
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """The report, and when it runs."""

    report: Flow
    cron: str


HOPE = "an hour between them"
SLACK = "two hours between them"
CHECKED = "an hour, and the report checks"

FIRST = datetime(2026, 1, 6, tzinfo=UTC)  # the midnight before the first load
USUAL, SLOW_ONE = timedelta(minutes=40), timedelta(minutes=75)
SLOW, FAILED, AWAY = 1, 2, 3  # nights: a slow load, a failed load, a worker that is not there


@scenario(
    name="synchronised-crons",
    question="My report runs an hour after the load. When does it show yesterday's numbers?",
    lesson=(
        "Whenever the load was slow, failed, or waited for the worker: the report starts by the "
        "clock and is Completed each time. When a worker comes back, both jobs are Late, and both "
        "start at once: the order is lost. A longer gap helps against the slow load only, and makes "
        "every report an hour later. A report that checks its input is late or Failed instead."
    ),
    patterns=("P15",),
    days=5,
    start=FIRST - timedelta(hours=2),
    variants={
        HOPE: Variant(synchronised_crons.sales_report, "0 2 * * *"),
        SLACK: Variant(synchronised_crons.sales_report, "0 3 * * *"),
        CHECKED: Variant(synchronised_crons.checked_sales_report, "0 2 * * *"),
    },
)
def two_crons(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.takes("fetch-sales", [USUAL, USUAL, SLOW_ONE, USUAL])
    sim.takes(variant.report.name, timedelta(minutes=5))
    sim.fail(
        "load-sales",
        between=(night_of(FAILED), night_of(FAILED + 1)),
        error=ConnectionError("the shop does not answer"),
    )
    sim.run(synchronised_crons.load_sales)  # there are sales of yesterday
    sim.deploy(synchronised_crons.load_sales, name="dev", cron="0 1 * * *")
    sim.deploy(variant.report, name="dev", cron=variant.cron)
    for night in range(days):
        sim.advance_to(night_of(night) + timedelta(minutes=30))
        if night == AWAY:
            sim.stop_worker()
            sim.advance(hours=3)
            sim.start_worker()
        sim.advance_to(night_of(night) + timedelta(hours=6))


def night_of(number: int) -> datetime:
    """The midnight of a night, counted from 0."""
    return FIRST + timedelta(days=number)


def by_night(runs: list[RunRecord]) -> dict[int, RunRecord]:
    """The scheduled runs, by night."""
    return {(run.scheduled - FIRST).days: run for run in runs if run.deployment and run.start}


def loads(sim: Simulation) -> dict[int, RunRecord]:
    """The scheduled loads, by night."""
    return by_night(sim.runs("load-sales"))


def reports(sim: Simulation) -> dict[int, RunRecord]:
    """The reports, by night."""
    return by_night([run for run in sim.runs() if run.flow.endswith("sales-report")])


def builds(sim: Simulation) -> dict[int, Build]:
    """What each report was built from, by night; its cycle is the load of that night."""
    rows = sim.warehouse.query("select built_at, source_loaded_at from marts.sales_reports")
    nights = {(built - FIRST).days: (built, loaded) for built, loaded in rows}
    assert len(nights) == len(rows)
    return {
        night: Build(built_at=built, newest_loaded_at=loaded, cycle=night_of(night))
        for night, (built, loaded) in nights.items()
    }


def stale_nights(sim: Simulation) -> list[int]:
    """The nights whose report holds the numbers of an earlier one."""
    return sorted(night for night, build in builds(sim).items() if build.stale)


def within(days: int, *nights: int) -> list[int]:
    """Those of the nights that have been lived through."""
    return [night for night in nights if night < days]


@two_crons.expect()
def only_the_load_of_one_night_fails(sim, days):
    assert sorted(loads(sim)) == sorted(reports(sim)) == list(range(days))
    failed = [night for night, run in loads(sim).items() if run.state != "Completed"]
    assert failed == within(days, FAILED)
    landed = sim.warehouse.query("select distinct batch_id from raw.day_sales")
    assert len(landed) == 1 + days - len(failed)


@two_crons.expect(HOPE, SLACK)
def every_report_is_completed_whatever_it_shows(sim):
    for run in reports(sim).values():
        assert run.state == "Completed", run


@two_crons.expect(HOPE)
def the_report_is_stale_after_every_kind_of_bad_night(sim, days):
    assert stale_nights(sim) == within(days, SLOW, FAILED, AWAY)


@two_crons.expect(SLACK)
def a_longer_gap_helps_against_a_slow_load_only(sim, days):
    assert stale_nights(sim) == within(days, FAILED, AWAY)


@two_crons.expect()
def after_an_absent_worker_both_jobs_are_late_and_start_at_once(sim, days):
    if days > AWAY:
        pair = (loads(sim)[AWAY], reports(sim)[AWAY])
        for run in pair:
            names = [state.name for state in run.states]
            assert names[:3] == ["Scheduled", "Late", "Pending"], run
        apart = abs(pair[0].start - pair[1].start)
        assert apart < timedelta(seconds=1), apart


@two_crons.expect(CHECKED)
def a_report_that_checks_is_late_or_failed_but_never_stale(sim, days):
    assert stale_nights(sim) == []
    attempts = {SLOW: 2, FAILED: 4, AWAY: 3}
    for night, run in reports(sim).items():
        assert run.state == ("Failed" if night == FAILED else "Completed"), run
        assert run.run_count == attempts.get(night, 1), run
    assert sorted(builds(sim)) == [night for night in range(days) if night != FAILED]


@two_crons.expect(CHECKED)
def the_failed_report_names_what_is_missing(sim, days):
    if days > FAILED:
        run = reports(sim)[FAILED]
        assert "no sales of 2026-01-08 yet: the newest batch is 20260107T0100Z" in run.message, run
        waits = [state.name for state in run.states if state.name == "AwaitingRetry"]
        assert len(waits) == 3, run


@two_crons.measure
def freshness(sim, days) -> list[Measure]:
    found = builds(sim).values()
    good = [night for night, build in builds(sim).items() if not build.stale]
    late = [
        (reports(sim)[night].end - loads(sim)[night].scheduled).total_seconds() for night in good
    ]
    return [
        stale_reads(found),
        staleness(found),
        freshness_attainment(found, target=timedelta(hours=26), until=sim.now),
        mean("end-to-end latency", late),
    ]
