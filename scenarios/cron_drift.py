"""Two crons that hope to line up, against an export that starts what comes after it."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipelines import chaining
from pipelines.products_api import ProductsAPI
from simulator import Simulation, lognormal
from simulator.measures import (
    Build,
    Measure,
    freshness_attainment,
    mean,
    partial_reads,
    stale_reads,
    staleness,
)
from simulator.records import RunRecord
from simulator.scenario import scenario

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_GO_BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)  # from UTC+2 to UTC+1
LATE = datetime(2026, 10, 13, 22, tzinfo=UTC)  # a midnight at which the export's worker is away


@dataclass(frozen=True)
class Variant:
    """When dbt runs (None: the export starts it), and how the export writes its feed."""

    cron: str | None
    timezone: str = "Europe/Berlin"
    atomic: bool = False


IN_PLACE = "two crons, feed written in place"
ATOMIC = "two crons, feed replaced whole"
TWO_ZONES = "two crons in two time zones"
CHAINED = "triggered by the export"

DBT_DEPLOYMENT = "dbt-in-process/dbt_downstream_model"


@scenario(
    name="cron-drift",
    question="How often does dbt read yesterday's data, or half of today's?",
    lesson=(
        "A second cron five minutes later reads half a file whenever the export takes longer, or "
        "yesterday's if it starts late or replaces the file whole, and every run is Completed. If they "
        "set in different time zones, the autumn change of clocks makes every read after it a stale "
        "one. An export that ends by triggering dbt has neither, at the price of one coupling."
    ),
    patterns=("P22", "P23", "P24"),
    days=21,
    start="2026-10-10T12:00:00Z",
    variants={
        IN_PLACE: Variant("5 0 * * *"),
        ATOMIC: Variant("5 0 * * *", atomic=True),
        TWO_ZONES: Variant("5 22 * * *", timezone="UTC", atomic=True),
        CHAINED: Variant(None, atomic=True),
    },
)
def cron_drift(sim: Simulation, variant: Variant, days: int) -> None:
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    # Two pages: half of the exports take less than about four and a half minutes.
    sim.takes("fetch-page", lognormal(median=timedelta(seconds=120), sigma=0.5))
    with ProductsAPI(total=100) as api:
        export = {"api_url": api.url, "page_size": 50, "atomic": variant.atomic}
        sim.run(chaining.export_products, **export)  # there is a feed of yesterday
        sim.deploy(
            chaining.export_products,
            name="dev",
            work_pool="exports",
            cron="0 0 * * *",
            timezone="Europe/Berlin",
            parameters=export | ({} if variant.cron else {"then": DBT_DEPLOYMENT}),
        )
        sim.deploy(
            chaining.dbt_in_process,
            name="dbt_downstream_model",
            cron=variant.cron,
            timezone=variant.timezone if variant.cron else None,
            parameters={"command": "run --select +product_builds"},
        )
        end = sim.now + timedelta(days=days)
        if days > (LATE - sim.start).days:
            sim.advance_to(LATE - timedelta(minutes=30))
            sim.stop_worker("exports")
            sim.advance_to(LATE + timedelta(minutes=20))
            sim.start_worker("exports")
        sim.advance_to(end)


def exports(sim: Simulation) -> dict[datetime, RunRecord]:
    """The scheduled exports, by the midnight of Berlin for which they ran."""
    return {run.scheduled: run for run in sim.runs("export-products") if run.deployment}


def midnight(instant: datetime) -> datetime:
    """The last midnight of Berlin before an instant, in UTC."""
    day = instant.astimezone(BERLIN).date()
    return datetime.combine(day, time(), BERLIN).astimezone(UTC)


def builds(sim: Simulation) -> list[Build]:
    """What each build found, and the cycle whose data it was meant to find."""
    return [
        Build(built_at=built, newest_loaded_at=loaded, complete=complete, cycle=meant(built))
        for built, loaded, complete in sim.warehouse.query(
            "select built_at, source_loaded_at, is_complete from marts.product_builds order by 1"
        )
    ]


def meant(built_at: datetime) -> datetime:
    """The export that a build belongs to: that of the nearest midnight, an hour early or late."""
    return midnight(built_at + timedelta(hours=1))


def dbt_starts(sim: Simulation) -> dict[datetime, datetime]:
    """When dbt started, by the midnight of Berlin before it."""
    return {midnight(run.start): run.start for run in sim.runs("dbt-in-process")}


def under_way(sim: Simulation) -> list[datetime]:
    """The cycles whose export was at work when dbt read its feed."""
    read = dbt_starts(sim)
    return [cycle for cycle, run in exports(sim).items() if run.start < read[cycle] < run.end]


def not_begun(sim: Simulation) -> list[datetime]:
    """The cycles whose export had not even started when dbt read its feed."""
    read = dbt_starts(sim)
    return [cycle for cycle, run in exports(sim).items() if run.start > read[cycle]]


def deliveries(sim: Simulation) -> list[timedelta]:
    """From the midnight of each export to the end of the first dbt run that began after its end."""
    delays = []
    for cycle, export in exports(sim).items():
        after = [run.end for run in sim.runs("dbt-in-process") if run.start >= export.end]
        delays += [min(after) - cycle] if after else []
    return delays


@cron_drift.expect()
def every_run_is_completed_whatever_was_read(sim, days):
    assert len(exports(sim)) == len(sim.runs("dbt-in-process")) == days
    for run in sim.runs():
        assert run.state == "Completed", run


@cron_drift.expect(IN_PLACE)
def half_a_feed_is_read_when_the_export_takes_longer_than_five_minutes(sim):
    partial = [build.cycle for build in builds(sim) if not build.complete]
    assert partial == under_way(sim)
    assert partial
    of_yesterday = [build.cycle for build in builds(sim) if build.complete and build.stale]
    assert of_yesterday == not_begun(sim)


@cron_drift.expect(ATOMIC)
def the_feed_of_yesterday_is_read_when_the_export_takes_longer(sim):
    assert all(build.complete for build in builds(sim))
    stale = [build.cycle for build in builds(sim) if build.stale]
    assert stale == sorted(under_way(sim) + not_begun(sim))
    assert under_way(sim)


@cron_drift.expect()
def an_export_whose_worker_is_away_is_late(sim):
    late = [
        cycle
        for cycle, run in exports(sim).items()
        if "Late" in [state.name for state in run.states]
    ]
    assert late == [cycle for cycle in exports(sim) if cycle == LATE]


@cron_drift.expect(IN_PLACE, ATOMIC)
def dbt_does_not_wait_for_an_export_that_is_late(sim):
    assert not_begun(sim) == [cycle for cycle in exports(sim) if cycle == LATE]


@cron_drift.expect(TWO_ZONES)
def every_read_after_the_change_of_clocks_is_stale(sim):
    later = [build for build in builds(sim) if build.built_at > CLOCKS_GO_BACK]
    earlier = [build for build in builds(sim) if build.built_at < CLOCKS_GO_BACK]
    assert all(build.stale for build in later), [build for build in later if not build.stale]
    assert not all(build.stale for build in earlier)


@cron_drift.expect(CHAINED)
def nothing_stale_and_nothing_partial_is_ever_read(sim):
    for build in builds(sim):
        assert build.complete, build
        assert not build.stale, build


@cron_drift.expect(CHAINED)
def dbt_starts_within_seconds_of_the_end_of_the_export(sim):
    for run, downstream in zip(exports(sim).values(), sim.runs("dbt-in-process"), strict=True):
        assert timedelta(0) <= downstream.start - run.end <= timedelta(seconds=15), downstream


@cron_drift.expect(IN_PLACE, ATOMIC, CHAINED)
def the_export_keeps_its_local_midnight_across_the_change(sim, days):
    hours = {cycle.hour for cycle in exports(sim)}
    assert hours == ({22, 23} if days > 15 else {22})


@cron_drift.measure
def reads(sim) -> list[Measure]:
    found = builds(sim)
    return [
        stale_reads(found),
        partial_reads(found),
        staleness(found),
        freshness_attainment(found, target=timedelta(hours=24, minutes=15), until=sim.now),
        mean("end-to-end latency", [delay.total_seconds() for delay in deliveries(sim)]),
    ]
