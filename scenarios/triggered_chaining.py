"""An export that starts dbt itself, and two nights on which one of them fails."""

from datetime import UTC, datetime, timedelta

from pipelines import chaining
from pipelines.products_api import ProductsAPI
from simulator import Simulation
from simulator.measures import Build, Measure, orphans, stale_reads, staleness_over_time
from simulator.records import RunRecord
from simulator.scenario import scenario

CRONS = "two crons"
CHAINED = "run_deployment with timeout=0"

FIRST = datetime(2026, 1, 6, tzinfo=UTC)
EXPORT_FAILS, DBT_FAILS = 1, 2  # nights; those before and after are good
COMMAND = {"command": "run --select +product_builds"}


@scenario(
    name="triggered-chaining",
    question="If my export starts dbt, who learns that one of them has failed?",
    lesson=(
        "A failed export starts no dbt: the marts stay as they are, where a second cron builds "
        "yesterday's feed once more and calls it Completed. The other way round nothing is gained: "
        "with `timeout=0` the export has ended before dbt begins, so it is Completed whatever becomes "
        "of dbt, which is its child all the same. Watch both flows, not the first one."
    ),
    patterns=("P24",),
    days=4,
    start=FIRST - timedelta(hours=2),
    variants={CRONS: None, CHAINED: chaining.DBT_DEPLOYMENT},
)
def triggered_chaining(sim: Simulation, variant: str | None, days: int) -> None:
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    sim.setenv(DBT_TARGET_PATH=sim.folder / "target")
    sim.takes("fetch-page", timedelta(minutes=1))
    sim.takes("dbt-command-flow", timedelta(minutes=2))
    sim.fail("export-products", between=(night(EXPORT_FAILS), night(EXPORT_FAILS + 1)))
    sim.fail("dbt-command-flow", between=(night(DBT_FAILS), night(DBT_FAILS + 1)))
    with ProductsAPI(total=100) as api:
        export = {"api_url": api.url, "page_size": 50, "atomic": True, "then": variant}
        sim.deploy(chaining.export_products, name="dev", cron="0 0 * * *", parameters=export)
        sim.deploy(
            chaining.dbt_command_flow,
            name="dbt_downstream_model",
            cron=None if variant else "5 0 * * *",
            parameters=COMMAND,
        )
        sim.advance_to(night(days - 1) + timedelta(hours=1))


def night(number: int) -> datetime:
    """The midnight of a night, counted from 0."""
    return FIRST + timedelta(days=number)


def by_night(runs: list[RunRecord]) -> dict[int, RunRecord]:
    """The runs that have started, by night."""
    return {(run.scheduled - FIRST).days: run for run in runs if run.start}


def exports(sim: Simulation) -> dict[int, RunRecord]:
    """The exports, by night."""
    return by_night(sim.runs("export-products"))


def dbt_runs(sim: Simulation) -> dict[int, RunRecord]:
    """The runs of dbt, by night."""
    return by_night(sim.runs("dbt-command-flow"))


def builds(sim: Simulation) -> dict[int, Build]:
    """What dbt has built, by night."""
    return {
        (built - FIRST).days: Build(built, loaded, cycle=night((built - FIRST).days))
        for built, loaded in sim.warehouse.query(
            "select built_at, source_loaded_at from marts.product_builds"
        )
    }


def states(runs: dict[int, RunRecord]) -> dict[int, str]:
    """The name of the state of each run, by night."""
    return {number: run.state for number, run in runs.items()}


@triggered_chaining.expect()
def the_export_fails_on_one_night_and_on_no_other(sim, days):
    expected = {n: "Failed" if n == EXPORT_FAILS else "Completed" for n in range(days)}
    assert states(exports(sim)) == expected


@triggered_chaining.expect(CRONS)
def dbt_builds_the_old_feed_once_more_after_a_failed_export(sim, days):
    expected = {n: "Failed" if n == DBT_FAILS else "Completed" for n in range(days)}
    assert states(dbt_runs(sim)) == expected
    stale = [number for number, build in builds(sim).items() if build.stale]
    assert stale == [EXPORT_FAILS] * (days > EXPORT_FAILS)


@triggered_chaining.expect(CHAINED)
def no_export_no_dbt(sim, days):
    nights = [number for number in range(days) if number != EXPORT_FAILS]
    expected = {n: "Failed" if n == DBT_FAILS else "Completed" for n in nights}
    assert states(dbt_runs(sim)) == expected
    assert not any(build.stale for build in builds(sim).values())
    assert sorted(builds(sim)) == [number for number in nights if number != DBT_FAILS]


@triggered_chaining.expect(CHAINED)
def dbt_is_a_child_that_starts_after_its_parent_has_ended(sim):
    for number, run in dbt_runs(sim).items():
        export = exports(sim)[number]
        assert [child.id for child in export.children] == [run.id]
        assert export.end <= run.start <= export.end + timedelta(seconds=15), run


@triggered_chaining.expect(CHAINED)
def the_export_is_completed_although_its_child_has_failed(sim, days):
    if days > DBT_FAILS:
        export, dbt = exports(sim)[DBT_FAILS], dbt_runs(sim)[DBT_FAILS]
        assert (export.state, dbt.state) == ("Completed", "Failed")
        assert "dbt-command-flow failed" in dbt.message


@triggered_chaining.measure
def what_readers_see(sim) -> list[Measure]:
    found = builds(sim).values()
    return [
        stale_reads(found),
        staleness_over_time(found, until=sim.now),
        orphans(sim.history(), "dbt-command-flow", waiting=True),
    ]
