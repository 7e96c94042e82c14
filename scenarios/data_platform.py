"""A parent over six deployments, for two targets, on a day on which the third step fails."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from prefect import Flow

from pipelines import data_platform as pipeline
from simulator import Simulation
from simulator.measures import Build, Measure, end_to_end_latency, stale_reads, staleness
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, and the target that it is deployed for."""

    parent: Flow
    target: str


DEV = "dev, failures raised"
PROD = "prod, failures raised"
UNCHECKED = "prod, nothing checked"

ORDERS = {"dev": 3, "prod": 30}  # landed a day
FAILING = 1  # the day on which dbt-shop fails


@scenario(
    name="data-platform",
    question="A step in the middle of my platform fails: what do the dashboards show?",
    lesson=(
        "With each step's state raised, the day ends at the failure: the later steps are never "
        "created, and the dashboards stay as they were. With nothing checked all six run, the parent "
        "is Completed, and a dashboard built this morning shows the orders of yesterday beside the "
        "touches of today. One parameter passed into the deployments' names chooses the target."
    ),
    patterns=("P05",),
    days=2,
    variants={
        DEV: Variant(pipeline.data_platform, "dev"),
        PROD: Variant(pipeline.data_platform, "prod"),
        UNCHECKED: Variant(pipeline.data_platform_unchecked, "prod"),
    },
)
def data_platform(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    for target, orders in ORDERS.items():
        sim.deploy(pipeline.raw_shop, name=target, parameters={"orders": orders})
        sim.deploy(pipeline.raw_marketing, name=target)
        sim.deploy(pipeline.dbt_shop, name=target)
        sim.deploy(pipeline.dbt_attribution, name=target)
        sim.deploy(pipeline.dashboards, name=target, parameters={"target": target})
        sim.deploy(pipeline.sales_forecast, name=target)
    for step in pipeline.STEPS:
        sim.takes(step, timedelta(minutes=5))
    sim.fail("dbt-shop", on=[FAILING], error=RuntimeError("a column has gone"))
    sim.deploy(
        variant.parent,
        name=variant.target,
        cron="0 6 * * *",
        parameters={"deployment_name": variant.target},
    )
    sim.advance(days=days)


def parents(sim: Simulation) -> list[RunRecord]:
    """The parent's runs, one a day."""
    return [run for run in sim.runs() if run.parent is None]


def day_of(run: RunRecord) -> date:
    """The date that a parent stands for."""
    return run.scheduled.date()


def built(sim: Simulation) -> list[tuple[str, datetime, datetime, datetime]]:
    """The dashboards: target, when they were built, and the newest orders and touches in them."""
    return sim.warehouse.query(
        "select target, built_at, orders_loaded_at, touches_loaded_at "
        "from marts.dashboards order by built_at"
    )


def reads(sim: Simulation) -> list[Build]:
    """What each dashboard found in the shop's marts, and the day it was meant for."""
    return [
        Build(
            built_at=at,
            newest_loaded_at=orders,
            cycle=at.replace(hour=6, minute=0, second=0, microsecond=0),
        )
        for _, at, orders, _ in built(sim)
    ]


@data_platform.expect()
def a_good_day_runs_the_six_deployments_of_its_target_in_order(sim, variant, days):
    assert len(parents(sim)) == days
    for number, run in enumerate(parents(sim)):
        if number != FAILING:
            assert run.state == "Completed", run
            deployments = [child.deployment for child in run.children]
            assert deployments == [f"{step}/{variant.target}" for step in pipeline.STEPS], run
            assert all(child.state == "Completed" for child in run.children), run
            assert all(one.end <= after.start for one, after in pairwise(run.children)), run


@data_platform.expect()
def dates_and_names_are_passed_through(sim, variant):
    for run in parents(sim):
        day = f"{day_of(run)}"
        assert run.name == f"{variant.target} until {day}"
        for child in run.children:
            assert child.name == f"{child.flow} {variant.target} {day}"
            assert child.parameters["start_date"] == child.parameters["end_date"] == day, child


@data_platform.expect()
def every_day_has_landed_as_much_as_its_target_says(sim, variant, days):
    landed = sim.warehouse.query(
        "select order_date, count(*) from raw.orders group by 1 order by 1"
    )
    assert landed == [(day_of(run), ORDERS[variant.target]) for run in parents(sim)]
    assert {target for target, *_ in built(sim)} == {variant.target}


@data_platform.expect(DEV, PROD)
def a_step_that_fails_ends_its_day(sim):
    for run in parents(sim)[FAILING : FAILING + 1]:
        assert run.state == "Failed", run
        assert "a column has gone" in run.message, run
        assert [child.state for child in run.children] == ["Completed", "Completed", "Failed"], run
        assert day_of(run) not in [at.date() for _, at, *_ in built(sim)]


@data_platform.expect(UNCHECKED)
def unchecked_all_six_run_and_the_parent_is_completed(sim):
    for run in parents(sim)[FAILING : FAILING + 1]:
        assert run.state == "Completed", run
        assert [child.state for child in run.children] == [
            "Completed", "Completed", "Failed", "Completed", "Completed", "Completed"
        ], run  # fmt: skip


@data_platform.expect(UNCHECKED)
def a_dashboard_of_today_shows_the_orders_of_yesterday_and_the_touches_of_today(sim):
    for _, at, orders, touches in built(sim)[FAILING : FAILING + 1]:
        assert at.date() - orders.date() == timedelta(days=1)
        assert at.date() == touches.date()
    assert [read.stale for read in reads(sim)] == [
        number == FAILING for number in range(len(parents(sim)))
    ]


@data_platform.expect(DEV, PROD)
def no_dashboard_is_built_from_old_orders(sim):
    assert len(built(sim)) == len(sim.runs(parents(sim)[0].flow, state="Completed"))
    assert not any(read.stale for read in reads(sim))


@data_platform.expect()
def there_is_a_forecast_for_each_dashboard(sim):
    forecasts = sim.warehouse.query("select orders_loaded_at from marts.sales_forecasts order by 1")
    assert [at for (at,) in forecasts] == sorted(orders for *_, orders, _ in built(sim))


@data_platform.measure
def of_the_dashboards(sim) -> list[Measure]:
    found = reads(sim)
    (parent,) = {run.flow for run in parents(sim)}
    return [
        stale_reads(found),
        staleness(found),
        end_to_end_latency(sim.history(), parent, "dashboards"),
    ]
