"""One flow fails: what that does downstream, by the shape of the graph."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipelines.graph import is_due
from pipelines.many_to_many import deployments
from pipelines.shapes import SHAPES
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A shape, and the flow in it that fails once."""

    shape: str
    failing: str


DAILY = "hourly to daily to hourly, the daily one"
MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)


@scenario(
    name="failure-by-shape",
    question="One flow of many fails. Which others do not run, and when are they right again?",
    lesson=(
        "Those that need it, directly or not, and no other: all behind it in a chain, one side and "
        "the tip of a diamond, everything behind the source of a fan-out. Hourly flows are right again "
        "an hour later. A daily flow that fails is missing until the next midnight, and the hourly "
        "ones that read it run all day on what is not there, Completed."
    ),
    patterns=("P14",),
    days=1,
    start=MIDNIGHT - timedelta(minutes=10),
    variants={
        "chain, the second of four": Variant("chain", "stage"),
        "fan-out, the source": Variant("fan-out", "extract"),
        "diamond, one side": Variant("diamond", "orders"),
        DAILY: Variant("hourly-to-daily", "forecast"),
    },
)
def failure_by_shape(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    graph = SHAPES[variant.shape]()
    for flow, options in deployments(graph, "parent"):
        sim.deploy(flow, **options)
    for name in graph.by_name:
        sim.takes(name, timedelta(minutes=5))
    sim.fail(variant.failing, between=(MIDNIGHT, MIDNIGHT + timedelta(hours=1)))
    sim.advance_to(MIDNIGHT + timedelta(days=days - 1, hours=1, minutes=59))


def parents(sim: Simulation) -> dict[datetime, RunRecord]:
    """The parent's runs, by cycle."""
    return {run.scheduled: run for run in sim.runs("graph-parent") if run.start}


def due(variant: Variant, cycle: datetime) -> set[str]:
    """The flows that are to run in a cycle."""
    flows = SHAPES[variant.shape]().flows
    return {flow.name for flow in flows if is_due(flow.cadence, cycle)}


def states(parent: RunRecord) -> dict[str, str]:
    """The state of each flow that a parent has run."""
    return {child.flow: child.state for child in parent.children}


@failure_by_shape.expect()
def what_needs_the_failed_flow_is_not_created_and_all_others_are_completed(sim, variant):
    hit = SHAPES[variant.shape]().downstream_of(variant.failing)
    expected = dict.fromkeys(due(variant, MIDNIGHT) - hit, "Completed")
    assert states(parents(sim)[MIDNIGHT]) == expected | {variant.failing: "Failed"}
    assert parents(sim)[MIDNIGHT].state == "Failed"


@failure_by_shape.expect()
def every_later_cycle_is_completed(sim, variant, days):
    later = {cycle: run for cycle, run in parents(sim).items() if cycle != MIDNIGHT}
    assert len(later) == 24 * (days - 1) + 1
    for cycle, run in later.items():
        assert run.state == "Completed", run
        assert states(run) == dict.fromkeys(due(variant, cycle), "Completed")


@failure_by_shape.expect()
def each_flow_runs_after_what_it_needs(sim, variant):
    upstream = {flow.name: flow.upstream for flow in SHAPES[variant.shape]().flows}
    for run in parents(sim).values():
        ends = {child.flow: child.end for child in run.children}
        for child in run.children:
            assert all(ends[name] <= child.start for name in upstream[child.flow] if name in ends)


@failure_by_shape.expect(DAILY)
def hourly_flows_read_what_is_not_there_until_the_next_midnight(sim, days):
    reads = sim.warehouse.query(
        "select cycle, upstream_cycle from marts.builds "
        "where flow = 'dashboard' and upstream = 'forecast' order by cycle"
    )
    assert len(reads) == 24 * (days - 1) + 1
    for cycle, found in reads:
        assert (found is None) == (cycle < MIDNIGHT + timedelta(days=1)), cycle


@failure_by_shape.measure
def damage(sim, variant) -> Measure:
    midnight = due(variant, MIDNIGHT)
    return share(
        "flows of the cycle lost",
        sum(states(parents(sim)[MIDNIGHT]).get(name) != "Completed" for name in midnight),
        len(midnight),
    )
