"""A source that is down, short of products, or changes a field's name, and dbt behind it."""

from datetime import UTC, datetime, timedelta

from prefect import Flow

from pipelines import elt
from pipelines.products_api import ProductsAPI
from simulator import Simulation
from simulator.measures import Build, Measure, freshness_attainment, partial_reads, recovery_time
from simulator.records import RunRecord
from simulator.scenario import scenario

UNTESTED = "dbt run"
TESTED = "dbt build, the feed's tests are errors"

FIRST = datetime(2026, 1, 6, tzinfo=UTC)
GOOD, HICCUP, DOWN, SHORT, RENAMED, WELL = range(6)  # the nights
BAD = (DOWN, SHORT, RENAMED)


@scenario(
    name="monorepo-elt",
    question="The products API changed overnight. Who notices, and what is in my marts?",
    lesson=(
        "A page that fails is fetched again by its task; an API that is down fails the export, and "
        "with it the parent. But a feed that is short, or lacks a field, is a fine file: `dbt run` "
        "builds a catalogue without prices, and all runs are Completed. `dbt build` tests the "
        "staging model before the marts: the run fails with the test's name, the marts stay old."
    ),
    patterns=("P22",),
    days=6,
    start=FIRST - timedelta(hours=2),
    variants={UNTESTED: elt.products_elt, TESTED: elt.checked_products_elt},
)
def monorepo_elt(sim: Simulation, variant: Flow, days: int) -> None:
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    sim.setenv(DBT_TARGET_PATH=sim.folder / "target")
    sim.takes("fetch-page", timedelta(minutes=1))
    refused = ConnectionError("503 Service Unavailable")
    for number, attempts in ((HICCUP, "1"), (DOWN, "1-3")):
        first_page = night(number), night(number) + timedelta(seconds=30)
        sim.fail("fetch-page", between=first_page, attempts=attempts, error=refused)
    with ProductsAPI(total=100) as api:
        sim.deploy(variant, name="dev", cron="0 0 * * *", parameters={"api_url": api.url})
        for number in range(days):
            api.served = 50 if number == SHORT else 100
            api.renamed = {"price": "unit_price"} if number == RENAMED else {}
            sim.advance_to(night(number) + timedelta(hours=2))


def night(number: int) -> datetime:
    """The midnight of a night, counted from 0."""
    return FIRST + timedelta(days=number)


def parents(sim: Simulation) -> dict[int, RunRecord]:
    """The parent's runs, by night."""
    return {(run.scheduled - FIRST).days: run for run in sim.runs() if run.deployment and run.start}


def prices(sim: Simulation) -> dict[int, tuple[int, int]]:
    """By night: how many products have reached the mart of prices, and how many of them a price."""
    rows = sim.warehouse.query(
        "select batch_id, count(*), count(price) from marts.product_prices group by batch_id"
    )
    nights = {f"{night(number):%Y%m%dT%H%MZ}": number for number in parents(sim)}
    return {nights[batch]: (products, priced) for batch, products, priced in rows}


def within(days: int, *nights: int) -> set[int]:
    """Those of the nights that have been lived through."""
    return {number for number in nights if number < days}


@monorepo_elt.expect()
def a_page_that_fails_once_is_fetched_again(sim, days):
    if days > HICCUP:
        run = parents(sim)[HICCUP]
        first, *others = run.children[0].tasks
        states = ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
        assert [state.name for state in first.states] == states
        assert first.run_count == 2
        assert {task.run_count for task in others} == {1}
        assert run.state == "Completed", run


@monorepo_elt.expect()
def an_api_that_is_down_fails_the_export_and_dbt_never_starts(sim, days):
    if days > DOWN:
        run = parents(sim)[DOWN]
        assert [(child.flow, child.state) for child in run.children] == [
            ("export-products", "Failed")
        ]
        assert run.children[0].tasks[0].run_count == 3
        assert run.state == "Failed", run
        assert "503 Service Unavailable" in run.message, run
        assert DOWN not in prices(sim)


@monorepo_elt.expect(UNTESTED)
def half_a_feed_and_a_lost_field_reach_the_marts_and_every_run_is_completed(sim, days):
    for number in within(days, SHORT, RENAMED):
        run = parents(sim)[number]
        assert run.state == "Completed", run
        assert {child.state for child in run.children} == {"Completed"}
    expected = {GOOD: (100, 100), HICCUP: (100, 100), SHORT: (50, 50), RENAMED: (100, 0)}
    found = prices(sim)
    assert {number: found[number] for number in within(days, *expected)} == {
        number: expected[number] for number in within(days, *expected)
    }


@monorepo_elt.expect(TESTED)
def a_test_that_fails_fails_the_run_by_its_name_and_the_marts_stay_old(sim, days):
    said = {
        SHORT: "Test products_batch_is_complete failed with message",
        RENAMED: "Test not_null_stg_products_price failed with message",
    }
    for number in within(days, *said):
        run = parents(sim)[number]
        assert [(child.flow, child.state) for child in run.children] == [
            ("export-products", "Completed"),
            ("dbt-command-flow", "Failed"),
        ]
        assert run.state == "Failed", run
        assert said[number] in run.message, run
    assert {*prices(sim)} == set(range(days)) - {*BAD}
    assert {*prices(sim).values()} == {(100, 100)}


@monorepo_elt.expect()
def the_next_good_night_puts_everything_right(sim, days):
    if days > WELL:
        assert parents(sim)[WELL].state == "Completed"
        ((batch, products, priced),) = sim.warehouse.query(
            "select max(source_batch_id), count(*), count(price) from marts.products"
        )
        assert batch == f"{night(days - 1):%Y%m%dT%H%MZ}"
        assert (products, priced) == (100, 100)


@monorepo_elt.measure
def what_reaches_the_marts(sim) -> list[Measure]:
    rows = sim.warehouse.query(
        "select max(built_at), max(loaded_at), count(price) from marts.product_prices "
        "group by batch_id"
    )
    found = [Build(built, loaded, complete=priced == 100) for built, loaded, priced in rows]
    return [
        partial_reads(found),
        freshness_attainment(found, target=timedelta(hours=26), until=sim.now),
        recovery_time(sim.history()),
    ]
