"""An hourly parent, and a step in it that is to run once a day."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from prefect import Flow

from pipelines import cadence
from simulator import Simulation
from simulator.measures import Build, Measure, staleness
from simulator.records import RunRecord
from simulator.scenario import scenario
from simulator.versions import series


@dataclass(frozen=True)
class Variant:
    """A parent, and the schedule of B's own where it has one."""

    parent: Flow
    own_cron: str | None = None


BY_EXPIRY = "24-hour expiry, failure raised"
UNCHECKED = "24-hour expiry, failed run returned"
STATE = "24-hour expiry, failed state returned"
BY_DATE = "key of the date, failure raised"
CHECKED = "own schedule, cached check"

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)  # of day 0; hours count from here
OUTAGE = range(24, 28)  # the hours in which no forecast succeeds: the second night


@scenario(
    name="cadence-by-caching",
    question="Why is my daily job an hour later each day, and what does its failure do?",
    lesson=(
        "An expiry of 24 hours counts from the end of the last run, so the next day's run at the "
        "same hour still finds the result, and B moves on by an hour a day. A key made of the date "
        "keeps the hour. A task that raises is tried again an hour later; one that returns a failed "
        "FlowRun caches the failure for a day, while every parent is Completed. One that returns the "
        "failed State does so with Prefect 3.8; with 3.9 it is tried again an hour later. On a "
        "schedule of its own B keeps its hour, but a failure costs a day, and a cached check notices "
        "it a day late."
    ),
    patterns=("P10", "P12"),
    days=3,
    start=MIDNIGHT - timedelta(hours=1),
    variants={
        BY_EXPIRY: Variant(cadence.parent_cache_expiry),
        UNCHECKED: Variant(cadence.parent_cache_unchecked),
        STATE: Variant(cadence.parent_cache_state),
        BY_DATE: Variant(cadence.parent_cache_date),
        CHECKED: Variant(cadence.parent_checks_forecast, own_cron="0 0 * * *"),
    },
)
def cadence_by_caching(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    sim.takes("load-orders", timedelta(minutes=3))
    sim.takes("daily-forecast", timedelta(minutes=20))
    sim.takes("refresh-dashboard", timedelta(minutes=2))
    sim.fail(
        "daily-forecast",
        between=(MIDNIGHT + timedelta(hours=OUTAGE.start), MIDNIGHT + timedelta(hours=OUTAGE.stop)),
        after=timedelta(minutes=10),
        error=ConnectionError("the forecasting service does not answer"),
    )
    sim.deploy(cadence.daily_forecast, name="dev", cron=variant.own_cron)
    if variant.own_cron is not None:  # it has been running for a while
        sim.deploy(cadence.load_orders, name="dev")
        sim.deploy(cadence.refresh_dashboard, name="dev")
        sim.trigger("load-orders/dev")
        sim.trigger("daily-forecast/dev", at=sim.start + timedelta(minutes=10))
    sim.advance_to(MIDNIGHT - timedelta(minutes=10))
    sim.deploy(variant.parent, name="dev", cron="0 * * * *")
    sim.advance_to(MIDNIGHT + timedelta(days=days) - timedelta(minutes=1))


def hour(run: RunRecord) -> int:
    """The hour in which a run started, counted from the first midnight."""
    return (run.start - MIDNIGHT) // timedelta(hours=1)


def parents(sim: Simulation) -> list[RunRecord]:
    """The hourly parent's runs."""
    return [run for run in sim.runs() if run.flow.startswith("parent-")]


def forecasts(sim: Simulation, state: str) -> list[int]:
    """The hours of the forecasts that ended in `state`, from the first midnight on."""
    runs = sim.runs("daily-forecast", state=state)
    return [hour(run) for run in runs if run.start >= MIDNIGHT]


def dashboards(sim: Simulation) -> list[tuple[datetime, datetime]]:
    """Each refresh of the dashboard: when it was built, and when its forecast had been."""
    return sim.warehouse.query(
        "select built_at, forecast_built_at from marts.dashboard order by built_at"
    )


def oldest(sim: Simulation) -> timedelta:
    """The age of the oldest forecast that a dashboard has shown."""
    return max(built - forecast for built, forecast in dashboards(sim))


@cadence_by_caching.expect()
def a_and_c_run_every_hour_in_order(sim, days):
    assert [hour(run) for run in parents(sim)] == list(range(24 * days))
    for run in parents(sim):
        steps = [child for child in run.children if child.flow != "daily-forecast"]
        if run.state == "Completed":
            assert [step.flow for step in steps] == ["load-orders", "refresh-dashboard"], run
            assert steps[0].end <= steps[1].start, run
        else:
            assert [step.flow for step in steps] == ["load-orders"], run


@cadence_by_caching.expect(BY_EXPIRY, UNCHECKED, STATE, BY_DATE)
def b_runs_after_a_and_before_c(sim):
    for run in parents(sim):
        steps = [child.flow for child in run.children]
        if "daily-forecast" in steps:
            order = ["load-orders", "daily-forecast", "refresh-dashboard"]
            assert steps == order[: len(steps)], run
            for before, after in pairwise(run.children):
                assert before.end <= after.start, run


def an_hour_later_each_day(days: int) -> tuple[list[int], list[int]]:
    """The hours in which B succeeds and fails, if only its successes are cached."""
    completed, failed, at = [], [], 0
    while at < 24 * days:
        (failed if at in OUTAGE else completed).append(at)
        at += 1 if at in OUTAGE else 25
    return completed, failed


def a_day_without(days: int) -> tuple[list[int], list[int]]:
    """The same if its failures are cached like its successes."""
    hours = range(0, 24 * days, 25)
    return [at for at in hours if at not in OUTAGE], [at for at in hours if at in OUTAGE]


def done(sim: Simulation) -> tuple[list[int], list[int]]:
    """The hours in which B succeeded and failed."""
    return forecasts(sim, "Completed"), forecasts(sim, "Failed")


@cadence_by_caching.expect(BY_EXPIRY)
def the_daily_job_is_an_hour_later_each_day(sim, days):
    assert done(sim) == an_hour_later_each_day(days)


@cadence_by_caching.expect(STATE)
def a_failed_state_is_cached_by_prefect_3_8_and_tried_again_by_3_9(sim, days):
    expected = {"3.8": a_day_without, "3.9": an_hour_later_each_day}[series()]
    assert done(sim) == expected(days)


@cadence_by_caching.expect(BY_DATE)
def the_daily_job_keeps_its_hour(sim, days):
    expected = [OUTAGE.stop if at in OUTAGE else at for at in range(0, 24 * days, 24)]
    assert forecasts(sim, "Completed") == expected
    assert forecasts(sim, "Failed") == [at for at in OUTAGE if at < 24 * days]


@cadence_by_caching.expect(UNCHECKED)
def a_failed_run_is_cached_like_any_other(sim, days):
    assert done(sim) == a_day_without(days)


@cadence_by_caching.expect(UNCHECKED, STATE)
def every_parent_is_completed(sim):
    for run in parents(sim):
        assert run.state == "Completed", run


@cadence_by_caching.expect(BY_EXPIRY, BY_DATE)
def a_parent_fails_with_its_forecast_and_the_next_one_tries_again(sim):
    failed = [hour(run) for run in parents(sim) if run.state == "Failed"]
    assert failed == forecasts(sim, "Failed")


@cadence_by_caching.expect(CHECKED)
def the_daily_job_keeps_its_own_hour(sim, days):
    expected = list(range(0, 24 * days, 24))
    assert forecasts(sim, "Completed") == [at for at in expected if at not in OUTAGE]
    assert forecasts(sim, "Failed") == [at for at in expected if at in OUTAGE]


@cadence_by_caching.expect(CHECKED)
def the_failure_is_noticed_a_day_late(sim, days):
    failed = [hour(run) for run in parents(sim) if run.state == "Failed"]
    assert failed == [at + 24 for at in forecasts(sim, "Failed") if at + 24 < 24 * days]


@cadence_by_caching.expect(UNCHECKED, CHECKED)
def a_failure_leaves_the_dashboard_with_a_forecast_of_two_days(sim, days):
    if days > 2:
        assert timedelta(hours=45) < oldest(sim) < timedelta(hours=51)


@cadence_by_caching.expect(BY_EXPIRY, BY_DATE)
def the_dashboard_never_shows_a_forecast_much_older_than_a_day(sim):
    assert oldest(sim) < timedelta(hours=29)


@cadence_by_caching.expect()
def the_tables_agree_with_the_runs(sim):
    ((made,),) = sim.warehouse.query("select count(*) from marts.forecasts")
    assert made == len(sim.runs("daily-forecast", state="Completed"))
    assert len(dashboards(sim)) == len(sim.runs("refresh-dashboard", state="Completed"))


@cadence_by_caching.measure
def age_of_the_forecast(sim) -> Measure:
    return staleness(
        Build(built_at=built, newest_loaded_at=forecast) for built, forecast in dashboards(sim)
    )
