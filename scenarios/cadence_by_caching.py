"""An hourly parent, and a step in it that is to run once a day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines import cadence
from prefect import Flow

from simulator import Simulation
from simulator.measures import Build, Measure, staleness
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, and the schedule of B's own where it has one."""

    parent: Flow
    own_cron: str | None = None


BY_EXPIRY = "24-hour expiry, failure raised"
UNCHECKED = "24-hour expiry, failed run returned"
BY_DATE = "key of the date, failure raised"
CHECKED = "own schedule, cached check"


@scenario(
    name="cadence-by-caching",
    question="Why is my daily job an hour later each day, and what does its failure do?",
    lesson=(
        "An expiry of 24 hours counts from the end of the last run, so the next day's run at the "
        "same hour still finds the result and B moves on by an hour a day. A key made of the date "
        "keeps the hour. A task that returns a failed FlowRun caches the failure for a day, while "
        "every parent is Completed; one that raises is tried again an hour later. A schedule of its "
        "own keeps B's hour too, but its failure then fails every parent until the next day's run."
    ),
    patterns=("P10", "P12"),
    days=4,
    start="2026-01-05T00:00:00Z",
    variants={
        BY_EXPIRY: Variant(cadence.parent_cache_expiry),
        UNCHECKED: Variant(cadence.parent_cache_unchecked),
        BY_DATE: Variant(cadence.parent_cache_date),
        CHECKED: Variant(cadence.parent_checks_forecast, own_cron="30 23 * * *"),
    },
)
def cadence_by_caching(sim: Simulation, variant: Variant, days: int) -> None:
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    sim.takes("load-orders", timedelta(minutes=3))
    sim.takes("daily-forecast", timedelta(minutes=20))
    sim.takes("refresh-dashboard", timedelta(minutes=2))
    # From late in the third evening until two in the morning, no forecast succeeds.
    outage = sim.start + timedelta(days=2)
    sim.fail(
        "daily-forecast",
        between=(outage - timedelta(hours=1), outage + timedelta(hours=2)),
        error=ConnectionError("the forecasting service is down"),
    )
    sim.deploy(cadence.load_orders, name="dev")
    sim.deploy(cadence.refresh_dashboard, name="dev")
    sim.deploy(cadence.daily_forecast, name="dev", cron=variant.own_cron)
    if variant.own_cron is not None:
        # It has run the evening before.
        sim.run(cadence.load_orders)
        sim.trigger("daily-forecast/dev")
        sim.advance(minutes=30)
    sim.deploy(variant.parent, name="dev", cron="0 * * * *")
    sim.advance_to(sim.start + timedelta(days=days, minutes=45))


def parents(sim: Simulation) -> list[RunRecord]:
    """The hourly parent's runs."""
    return [run for run in sim.runs() if run.flow.startswith("parent-")]


def hours(sim: Simulation, state: str = "Completed") -> list[tuple[int, int]]:
    """The day (from 0) and the hour in which each forecast that ended in `state` started."""
    return [_day_and_hour(sim, run.start) for run in sim.runs("daily-forecast", state=state)]


def _day_and_hour(sim: Simulation, instant: datetime) -> tuple[int, int]:
    since = instant - sim.start
    return since.days, since.seconds // 3600


def dashboards(sim: Simulation) -> list[tuple[datetime, datetime | None]]:
    """Each refresh of the dashboard: when, and how old its forecast was made."""
    return sim.warehouse.query(
        "select built_at, forecast_built_at from marts.dashboard order by built_at"
    )


@cadence_by_caching.expect()
def a_and_c_run_in_order_every_hour(sim, days, variant):
    assert len(parents(sim)) == 24 * days
    for run in parents(sim):
        if run.state == "Completed":
            steps = [child for child in run.children if child.flow != "daily-forecast"]
            assert [step.flow for step in steps] == ["load-orders", "refresh-dashboard"], run
            assert steps[0].end <= steps[1].start, run


@cadence_by_caching.expect(BY_EXPIRY)
def the_daily_job_is_an_hour_later_each_day(sim, days):
    # Day 0 hour 1, day 1 hour 2, and after the outage wherever it first succeeded, and on.
    completed = hours(sim)
    for (day, hour), (next_day, next_hour) in zip(completed, completed[1:], strict=False):
        assert (next_day, next_hour) == (day + 1, hour + 1), completed


@cadence_by_caching.expect(BY_DATE)
def the_daily_job_keeps_its_hour(sim, days):
    completed = hours(sim)
    expected = [(day, 2 if day == 2 else 0) for day in range(days + 1)]
    assert completed == [(0, 1), *expected[1:]], completed


@cadence_by_caching.expect(UNCHECKED)
def a_failed_run_is_cached_like_any_other(sim):
    for run in parents(sim):
        assert run.state == "Completed", run


def _forecast_hours(sim: Simulation) -> Iterator[tuple[int, int]]:
    for run in sim.runs("daily-forecast"):
        yield _day_and_hour(sim, run.start)


@cadence_by_caching.measure
def age_of_the_forecast(sim) -> Measure:
    return staleness(
        Build(built_at=built, newest_loaded_at=forecast)
        for built, forecast in dashboards(sim)
        if forecast is not None
    )
