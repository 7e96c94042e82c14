"""Everything is deployed anew in the middle of a run: what of it is old, and what is new?"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from prefect import Flow

from pipelines import redeploying as pipeline
from pipelines.redeploying import PRICE
from simulator import Simulation
from simulator.faults import Fault, Redeployed, WorkerAway
from simulator.measures import Measure
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent and its loading, each with the name of what replaces it in the new release, if it is
    another function.
    """

    parent: Flow
    new_parent: str | None = None
    load: Flow = pipeline.load_prices
    new_load: str = "load_prices_2"


BY_NAME = "deployments by their names"
SUBFLOWS = "subflows"
CHECKED = "deployments that check"

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
DEPLOYED = 2 * HOUR + 10 * MINUTE  # in the middle of the second extract
BACK = 2 * HOUR + 30 * MINUTE
BY_HAND = 3 * HOUR + 20 * MINUTE


@scenario(
    name="redeploying",
    question="I deployed in the middle of a run. What of it was new, and what of the runs that wait?",
    lesson=(
        "A run that has begun keeps its code; one that begins has that of its deployment at the time, "
        "whenever it was ordered. So a parent that orders its children by name gets an old extract and "
        "a new load, and prices are a hundred times too high, Completed. Subflows are of one release to "
        "the end; a load that checks what has landed for it fails, and the next cycle is right. Of the "
        "runs that wait, those that are Late or were ordered by hand are kept, with their parameters "
        "and with the new code; what the schedule has made for later is made anew."
    ),
    patterns=("R09",),
    variants={
        BY_NAME: Variant(pipeline.refresh_by_name),
        SUBFLOWS: Variant(pipeline.refresh_by_subflows, "refresh_by_subflows_2"),
        CHECKED: Variant(
            pipeline.refresh_by_name,
            load=pipeline.load_prices_checked,
            new_load="load_prices_checked_2",
        ),
    },
)
def redeploying(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(pipeline.extract_prices, name="dev")
    sim.deploy(variant.load, name="dev")
    sim.deploy(variant.parent, name="dev", cron="0 * * * *")
    sim.deploy(
        pipeline.report_prices,
        name="dev",
        work_pool="reports",
        cron="0 * * * *",
        parameters={"layout": "one"},
    )
    sim.trigger("report-prices/dev", at=sim.start + BY_HAND)
    away = (sim.start + DEPLOYED - 20 * MINUTE, sim.start + BACK)
    sim.inject([*release(sim, variant), WorkerAway(work_pool="reports", between=away)])
    sim.advance(hours=3.5)


def release(sim: Simulation, variant: Variant) -> list[Fault]:
    """The new release: other code for each deployment, another schedule and other parameters."""

    def new(name: str, function: str | None, **others: object) -> Redeployed:
        if function is not None:
            folder = Path(pipeline.__file__).parent
            others |= {"entrypoint": f"redeploying.py:{function}", "path": folder}
        return Redeployed(deployment=f"{name}/dev", at=sim.start + DEPLOYED, **others)

    return [
        new("extract-prices", "extract_prices_2"),
        new("load-prices", variant.new_load),
        new("refresh-prices", variant.new_parent, cron="40 * * * *"),
        new("report-prices", "report_prices_2", parameters={"layout": "two"}),
    ]


def refreshes(sim: Simulation) -> list[RunRecord]:
    """The parent's runs: before, in the middle, and after."""
    return sorted(sim.runs("refresh-prices"), key=lambda run: run.scheduled)


def prices(sim: Simulation) -> list[float]:
    """The prices that were loaded, in euros, oldest first."""
    return [
        price
        for (price,) in sim.warehouse.query("select euros from marts.prices order by built_at")
    ]


def reports(sim: Simulation) -> dict[timedelta, tuple[str, int]]:
    """Of each report, by when it was due since the start: its layout, and the release of its code."""
    found = sim.warehouse.query("select due, layout, release from marts.reports")
    return {due - sim.start: (layout, release) for due, layout, release in found}


@redeploying.expect(BY_NAME)
def an_old_extract_and_a_new_load_are_completed_and_wrong(sim):
    assert [run.state for run in refreshes(sim)] == ["Completed"] * 3
    assert prices(sim) == [PRICE, 100 * PRICE, PRICE]


@redeploying.expect(SUBFLOWS)
def a_run_that_has_begun_is_old_to_its_end(sim):
    assert [run.state for run in refreshes(sim)] == ["Completed"] * 3
    assert prices(sim) == [PRICE] * 3


@redeploying.expect(CHECKED)
def a_load_that_checks_fails_and_the_next_cycle_is_right(sim):
    assert [run.state for run in refreshes(sim)] == ["Completed", "Failed", "Completed"]
    assert "does not read what release 1 has landed" in refreshes(sim)[1].message
    assert prices(sim) == [PRICE] * 2
    assert "deploys load-prices/dev anew" in str(sim.explain(refreshes(sim)[1]))


@redeploying.expect()
def the_schedule_is_the_new_one_from_then_on(sim):
    due = [run.scheduled - sim.start for run in refreshes(sim)]
    assert due == [HOUR, 2 * HOUR, 2 * HOUR + 40 * MINUTE]  # and nothing at three


@redeploying.expect()
def what_waits_keeps_its_parameters_and_has_the_new_code(sim):
    late = [run for run in sim.runs("report-prices") if run.start - run.scheduled > MINUTE]
    assert [run.scheduled - sim.start for run in late] == [2 * HOUR]
    assert reports(sim) == {
        HOUR: ("one", 1),
        2 * HOUR: ("one", 2),  # Late since before
        3 * HOUR: ("two", 2),  # made anew by the schedule
        BY_HAND: ("one", 2),
    }


@redeploying.measure
def what_the_release_does(sim) -> list[Measure]:
    loaded = prices(sim)
    wrong = sum(price != PRICE for price in loaded)
    mixed = sum(found == ("one", 2) for found in reports(sim).values())
    return [
        Measure("wrong prices", wrong, "loads", n=len(loaded)),
        Measure("loads that are missing", len(refreshes(sim)) - len(loaded), "loads", n=3),
        Measure("new code with old parameters", mixed, "runs", n=len(reports(sim))),
    ]
