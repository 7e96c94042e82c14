"""Parent → child → grandchild: how long it takes, how many work at a time, and what stands still."""

from dataclasses import dataclass
from datetime import timedelta

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from pipelines import nesting as pipeline
from simulator import Simulation
from simulator.measures import Measure
from simulator.records import RunRecord, TaskRecord
from simulator.scenario import scenario

LEAVES = pipeline.REGIONS * pipeline.SHOPS
SHOP = timedelta(seconds=pipeline.SHOP)
PATIENCE = timedelta(seconds=pipeline.PATIENCE)


@dataclass(frozen=True)
class Variant:
    """A parent, and its expected numbers: flow runs in all, leaves done, shops' times it takes."""

    parent: Flow
    flow_runs: int
    leaves: int
    shops: float


FLOWS = "flows in flows in a flow"
TASKS = "the leaf a task"
WIDE = "a lock around the leaf"
NARROW = "a lock around its last line"
OWN = "a lock that the parent holds"
TEN = "ten threads inside ten threads"
ITSELF = "a pool inside itself"


@scenario(
    name="nesting",
    question="Why is my flow of flows of flows so slow, and why does it sometimes stand still?",
    lesson=(
        "Each call of a flow waits for its end, so nine leaves take nine turns; as submitted tasks "
        "they take three. A lock around the whole leaf makes a queue of them again, and one that the "
        "parent holds too can never be taken. Ten threads inside ten are a hundred at work, as each "
        "flow run has its own; tasks that submit to the pool they run in wait for ever, Running."
    ),
    patterns=("P21",),
    variants={
        FLOWS: Variant(pipeline.report_of_flows, flow_runs=13, leaves=9, shops=9),
        TASKS: Variant(pipeline.report_of_tasks, flow_runs=4, leaves=9, shops=3),
        WIDE: Variant(pipeline.report_in_wide_lock, flow_runs=1, leaves=9, shops=9),
        NARROW: Variant(pipeline.report_in_narrow_lock, flow_runs=1, leaves=9, shops=1),
        OWN: Variant(pipeline.report_in_own_lock, flow_runs=2, leaves=0, shops=6),
        TEN: Variant(pipeline.ten_by_ten, flow_runs=11, leaves=100, shops=1),
        ITSELF: Variant(pipeline.pool_in_itself, flow_runs=1, leaves=0, shops=0),
    },
)
def nesting(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=pipeline.LOCK, limit=1)
        )
    sim.deploy(variant.parent, name="dev")
    sim.trigger(f"{variant.parent.name}/dev")
    sim.advance(hours=1)


def parent(sim: Simulation) -> RunRecord:
    """The outermost run."""
    (run,) = [run for run in sim.runs() if run.parent is None]
    return run


def landed(sim: Simulation) -> int:
    """The number of shops whose report is there."""
    tables = sim.warehouse.query(
        "select 1 from information_schema.tables where table_name='reports'"
    )
    if not tables:
        return 0
    ((count,),) = sim.warehouse.query("select count(*) from raw.reports")
    return count


def leaf_tasks(sim: Simulation) -> list[TaskRecord]:
    """The task runs of the leaves."""
    return [task for run in sim.runs() for task in run.tasks if task.task.startswith("shop-")]


def most_at_a_time(tasks: list[TaskRecord]) -> int:
    """The most of them that were Running at once."""
    starts = [task.start for task in tasks]
    return max((sum(t.start <= at < t.end for t in tasks) for at in starts), default=0)


@nesting.expect(FLOWS, TASKS, WIDE, NARROW, TEN)
def every_leaf_is_done_and_every_run_completed(sim, variant):
    assert landed(sim) == variant.leaves
    assert len(sim.runs()) == variant.flow_runs
    for run in sim.runs():
        assert run.state == "Completed", run


@nesting.expect(FLOWS, TASKS, NARROW, TEN)
def it_takes_as_many_turns_as_are_in_a_row(sim, variant):
    slack = timedelta(seconds=30 if variant.parent is pipeline.report_in_narrow_lock else 1)
    assert timedelta(0) <= parent(sim).end - parent(sim).start - variant.shops * SHOP <= slack


@nesting.expect(WIDE)
def a_wide_lock_makes_a_queue(sim, variant):
    assert parent(sim).end - parent(sim).start >= variant.shops * SHOP
    assert most_at_a_time(leaf_tasks(sim)) == LEAVES  # Running, and waiting


@nesting.expect(FLOWS)
def three_generations_are_running_at_a_time(sim):
    (leaf, *_) = sim.runs("shop-flow")
    assert [leaf.flow, leaf.parent.flow, leaf.parent.parent.flow] == [
        "shop-flow",
        "region-of-flows",
        "report-of-flows",
    ]
    assert leaf.parent.parent.id == parent(sim).id


@nesting.expect(TASKS)
def the_shops_of_a_region_are_done_at_once(sim):
    assert most_at_a_time(leaf_tasks(sim)) == pipeline.SHOPS


@nesting.expect(OWN)
def a_lock_that_the_parent_holds_is_waited_for_until_the_timeout(sim):
    (leaf,) = sim.runs("guarded-leaf")
    assert leaf.state == "TimedOut", leaf
    assert "timed out after 60" in leaf.message, leaf
    assert leaf.end - leaf.start >= PATIENCE, leaf
    assert parent(sim).state == "TimedOut", parent(sim)
    assert landed(sim) == 0


@nesting.expect(TEN)
def ten_inside_ten_is_a_hundred_at_a_time(sim):
    assert most_at_a_time(leaf_tasks(sim)) == 100


@nesting.expect(ITSELF)
def a_pool_inside_itself_stands_still_for_ever(sim):
    run = parent(sim)
    assert run.state == "Running", run
    assert sim.now - run.start > timedelta(minutes=59)
    assert [task.state for task in run.tasks] == ["Running"] * pipeline.REGIONS, run
    assert not leaf_tasks(sim)
    assert landed(sim) == 0


@nesting.measure
def speed(sim) -> list[Measure]:
    run = parent(sim)
    seconds = (run.end - run.start).total_seconds() if run.end is not None else None
    flows = len(sim.runs())
    return [
        Measure("it takes", seconds, "seconds", n=flows),
        Measure("flow runs", flows, "runs", n=flows),
        Measure("leaves done", landed(sim), "leaves", n=landed(sim)),
    ]
