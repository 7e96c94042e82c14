"""The same chain as subflows and as deployments: latency, processes, repair, environment.

A child that needs another environment than its parent is a child for a process of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from pipelines import subflow_or_deployment as pipeline
from simulator import Simulation
from simulator.measures import Measure, mean
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, and what is ordered to repair the cycle that has failed (None: nothing fails)."""

    parent: Flow
    repair: str | None = None


SUBFLOWS = "subflows"
DEPLOYMENTS = "deployments"
LEGACY_SUBFLOW = "a child of another environment, as subflow"
LEGACY_DEPLOYMENT = "a child of another environment, as deployment"

STEPS = {
    "extract": timedelta(minutes=5),
    "transform-load": timedelta(minutes=10),
    "cleanup": timedelta(minutes=1),
}
CYCLES_A_DAY = 3
FAILING = 1  # the second transform-load
POLLS = timedelta(seconds=15)  # at most: the worker's ten seconds and run_deployment's five


@scenario(
    name="subflow-or-deployment",
    question="Should my steps be subflows or deployments?",
    lesson=(
        "As subflows they cost no time and share one process, log and environment; after a failure "
        "the whole chain is repeated. As deployments each costs up to fifteen seconds and a process "
        "of its own, and the step that failed is run by itself. A child whose environment conflicts "
        "with its parent's must be a deployment: it has the one that its job variables name."
    ),
    patterns=("P07",),
    variants={
        SUBFLOWS: Variant(pipeline.chain_of_subflows, repair="chain-of-subflows/dev"),
        DEPLOYMENTS: Variant(pipeline.chain_of_deployments, repair="transform-load/dev"),
        LEGACY_SUBFLOW: Variant(pipeline.legacy_as_subflow),
        LEGACY_DEPLOYMENT: Variant(pipeline.legacy_as_deployment),
    },
)
def subflow_or_deployment(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, SHOP_RELEASE="2")
    if variant.parent is pipeline.chain_of_deployments:
        for child in (pipeline.extract, pipeline.transform_load, pipeline.cleanup):
            sim.deploy(child, name="dev")
    own = {"env": {"SHOP_RELEASE": "1"}}
    sim.deploy(pipeline.export_legacy, name="dev", job_variables=own)
    sim.deploy(variant.parent, name="dev", cron=f"30 */{24 // CYCLES_A_DAY} * * *")
    for step, duration in STEPS.items():
        sim.takes(step, duration)
    sim.fail("transform-load", on=[FAILING], error=OSError("the disk is full"))
    sim.advance(days=days)
    if variant.repair is not None:
        sim.trigger(variant.repair, parameters={"batch_id": batch(parents(sim)[FAILING])})
        sim.advance(minutes=25)  # before the next cycle


def parents(sim: Simulation) -> list[RunRecord]:
    """The parent's scheduled runs."""
    return [run for run in sim.runs() if run.auto_scheduled]


def repairs(sim: Simulation) -> list[RunRecord]:
    """All the runs that the repair took."""
    ordered = [run for run in sim.runs() if run.parent is None and not run.auto_scheduled]
    return [run for top in ordered for run in (top, *top.descendants())]


def good(sim: Simulation) -> list[RunRecord]:
    """The parents of the cycles in which nothing failed."""
    return [run for number, run in enumerate(parents(sim)) if number != FAILING]


def batch(run: RunRecord) -> str:
    """The batch id of a parent's cycle."""
    return f"{run.scheduled:%Y%m%dT%H%MZ}"


def added(run: RunRecord) -> timedelta:
    """The time that a parent spent on anything but its children's work, for each child."""
    working = sum(STEPS.values(), timedelta(0))
    return (run.end - run.start - working) / len(STEPS)


def processes(runs: Iterable[RunRecord]) -> int:
    """In how many processes these runs and their children took place."""
    tree = [one for run in runs for one in (run, *run.descendants())]
    with get_client(sync_client=True) as client:
        return len({client.read_flow_run(one.id).infrastructure_pid for one in tree} - {None})


def batches(sim: Simulation, table: str) -> set[str]:
    """The batch ids in a table."""
    return {batch for (batch,) in sim.warehouse.query(f"select distinct batch_id from {table}")}


@subflow_or_deployment.expect(SUBFLOWS, DEPLOYMENTS)
def the_chain_is_the_same_both_ways(sim, days):
    assert len(parents(sim)) == CYCLES_A_DAY * days
    for run in good(sim):
        assert run.state == "Completed", run
        assert [child.flow for child in run.children] == list(STEPS), run
        assert all(child.state == "Completed" for child in run.children), run
    failed = parents(sim)[FAILING]
    assert failed.state == "Failed", failed
    assert "the disk is full" in failed.message, failed
    assert [child.state for child in failed.children] == ["Completed", "Failed"], failed


@subflow_or_deployment.expect(SUBFLOWS)
def subflows_add_no_time(sim):
    for run in good(sim):
        assert added(run) < timedelta(seconds=1), run
        assert all(child.deployment is None for child in run.children), run


@subflow_or_deployment.expect(DEPLOYMENTS)
def each_deployment_adds_seconds(sim):
    for run in good(sim):
        assert timedelta(seconds=5) <= added(run) <= POLLS, run
        assert all(child.deployment == f"{child.flow}/dev" for child in run.children), run


@subflow_or_deployment.expect(SUBFLOWS)
def a_cycle_of_subflows_is_one_process(sim):
    for run in good(sim):
        assert processes([run]) == 1, run


@subflow_or_deployment.expect(DEPLOYMENTS)
def a_cycle_of_deployments_is_a_process_for_each_child_and_the_parent(sim):
    for run in good(sim):
        assert processes([run]) == 1 + len(STEPS), run


@subflow_or_deployment.expect(SUBFLOWS)
def a_subflow_has_no_name_to_be_called_by(sim):
    with get_client(sync_client=True) as client:
        try:
            client.read_deployment_by_name("transform-load/dev")
        except ObjectNotFound:
            return
    raise AssertionError("there is a deployment transform-load/dev")


@subflow_or_deployment.expect(SUBFLOWS)
def the_whole_chain_is_repeated(sim):
    assert [run.flow for run in repairs(sim)] == ["chain-of-subflows", *STEPS]


@subflow_or_deployment.expect(DEPLOYMENTS)
def the_step_that_failed_is_run_by_itself(sim):
    assert [run.deployment for run in repairs(sim)] == ["transform-load/dev"]


@subflow_or_deployment.expect(SUBFLOWS, DEPLOYMENTS)
def in_the_end_every_batch_is_in_the_mart(sim):
    assert all(run.state == "Completed" for run in repairs(sim))
    assert batches(sim, "marts.sales") == {batch(run) for run in parents(sim)}


@subflow_or_deployment.expect(LEGACY_SUBFLOW)
def a_subflow_has_its_parent_s_environment(sim):
    for run in parents(sim):
        assert run.state == "Failed", run
        assert "needs SHOP_RELEASE=1, and has 2" in run.message, run
        assert [child.state for child in run.children] == ["Failed"], run


@subflow_or_deployment.expect(LEGACY_DEPLOYMENT)
def a_deployment_has_the_environment_that_it_names(sim, days):
    assert len(parents(sim)) == CYCLES_A_DAY * days
    for run in parents(sim):
        assert [child.state for child in run.children] == ["Completed"], run
        assert run.state == "Completed", run


@subflow_or_deployment.measure
def cost(sim, variant) -> list[Measure]:
    if variant.repair is None:
        return []
    return [
        mean("latency added per child", [added(run).total_seconds() for run in good(sim)]),
        Measure("processes a cycle", processes(good(sim)[:1]), "processes", n=1),
        Measure("runs for a repair", len(repairs(sim)), "runs", n=1),
    ]
