"""A parent is retried since its last step failed: is its first step done again?"""

from dataclasses import dataclass
from datetime import timedelta

from prefect import Flow

from pipelines import retried_parent as pipeline
from simulator import Simulation
from simulator.measures import Measure
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, and how often its source is read until it is through."""

    parent: Flow
    reads: int


TASK = "a task"
KEPT_TASK = "a task with its result kept"
SUBFLOW = "a subflow"
KEPT_SUBFLOW = "a subflow with its result kept"

EXTRACT = timedelta(seconds=pipeline.TAKES)


@scenario(
    name="retried-parent",
    question="I retry a flow whose last step failed. Why does it begin all over again?",
    lesson=(
        "A retry runs the parent's code from its first line, and each step is done again whose result "
        "it cannot find: without `persist_result=True` that is every step, also those that are "
        "Completed: a subflow is one run more then, as the failed one is. With results kept, the retry "
        "goes straight to what failed, provided that it can read where they lie."
    ),
    patterns=("R05",),
    variants={
        TASK: Variant(pipeline.over_a_task, reads=2),
        KEPT_TASK: Variant(pipeline.over_a_kept_task, reads=1),
        SUBFLOW: Variant(pipeline.over_a_subflow, reads=2),
        KEPT_SUBFLOW: Variant(pipeline.over_a_kept_subflow, reads=1),
    },
)
def retried_parent(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.fail("publish", on=[0], error=ConnectionError("the shop does not answer"))
    sim.deploy(variant.parent, name="dev")
    sim.trigger(f"{variant.parent.name}/dev")
    sim.advance(hours=2)


def reads(sim: Simulation) -> int:
    """How often the source was read."""
    [(count,)] = sim.warehouse.query("select count(*) from raw.extracts")
    return count


def parent(sim: Simulation) -> RunRecord:
    """The one run that was asked for."""
    (run,) = [run for run in sim.runs() if run.parent is None]
    return run


@retried_parent.expect()
def the_parent_is_completed_at_its_second_attempt(sim):
    assert parent(sim).state == "Completed"
    assert parent(sim).run_count == 2


@retried_parent.expect()
def the_source_is_read_so_often(sim, variant):
    assert reads(sim) == variant.reads
    took = parent(sim).end - parent(sim).start
    assert took - variant.reads * EXTRACT < timedelta(minutes=2), took


@retried_parent.expect()
def what_failed_is_a_new_run(sim):
    assert [run.state for run in sim.runs("publish")] == ["Failed", "Completed"]


@retried_parent.expect(SUBFLOW)
def the_subflow_is_completed_twice(sim):
    assert [run.state for run in sim.runs("extract-flow")] == ["Completed"] * 2


@retried_parent.expect(KEPT_SUBFLOW)
def the_kept_subflow_is_left_alone(sim):
    assert [run.state for run in sim.runs("extract-flow-kept")] == ["Completed"]


@retried_parent.measure
def what_the_retry_costs(sim) -> list[Measure]:
    took = (parent(sim).end - parent(sim).start).total_seconds()
    return [
        Measure("readings of the source", reads(sim), "readings", n=1),
        Measure("through after", took, "seconds", n=1),
    ]
