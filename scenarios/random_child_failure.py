"""Does the clean-up run when a child fails, and does the parent tell?"""

from dataclasses import dataclass
from datetime import timedelta

from prefect import Flow

from pipelines import random_failure
from simulator import Simulation
from simulator.measures import Measure, skipped_cleanups
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, and whether its children are deployments."""

    parent: Flow
    deployed: bool = False


@scenario(
    name="random-child-failure",
    question="Does the clean-up run when a child fails, and does the parent tell?",
    lesson=(
        "A plain call tells, but leaves the clean-up undone. `return_state=True` runs the clean-up "
        "and hides the failure, unless the parent returns the state. `run_deployment` never raises: "
        "unchecked, the parent is Completed and the clean-up removes what was never loaded; checked "
        "and raised, it behaves like a plain call."
    ),
    patterns=("P02", "P03", "P04"),
    days=1,
    variants={
        "plain subflow": Variant(random_failure.parent_plain),
        "return_state ignored": Variant(random_failure.parent_state_ignored),
        "return_state returned": Variant(random_failure.parent_state_returned),
        "run_deployment unchecked": Variant(random_failure.parent_deployments_unchecked, True),
        "run_deployment checked": Variant(random_failure.parent_deployments_checked, True),
    },
)
def random_child_failure(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    if variant.deployed:
        for child in (
            random_failure.extract,
            random_failure.transform_load,
            random_failure.cleanup,
        ):
            sim.deploy(child, name="dev")
    sim.deploy(variant.parent, name="dev", cron="0 * * * *")
    sim.takes("extract", timedelta(minutes=5))
    sim.takes("transform-load", timedelta(minutes=10))
    sim.takes("cleanup", timedelta(minutes=1))
    sim.fail("transform-load", probability=0.5, error=ValueError("half of them fail"))
    sim.advance(hours=24 * days, minutes=30)  # the last parent is through by then


def parents(sim):
    """The parent's runs, with the name of the state of their one transform-load."""
    for run in sim.runs():
        if run.parent is None:
            (loaded,) = [child.state for child in run.children if child.flow == "transform-load"]
            yield run, loaded


def batches(sim, table):
    """The batch ids in a table."""
    return {batch for (batch,) in sim.warehouse.query(f"select distinct batch_id from {table}")}


def batch(run):
    """The batch id of a parent's cycle."""
    return f"{run.scheduled:%Y%m%dT%H%MZ}"


@random_child_failure.expect()
def there_is_a_parent_every_hour_and_some_children_fail(sim, days):
    outcomes = [loaded for _, loaded in parents(sim)]
    assert len(outcomes) == 24 * days
    assert {"Completed", "Failed"} == set(outcomes)


@random_child_failure.expect("plain subflow", "return_state returned", "run_deployment checked")
def the_parent_fails_with_its_child(sim):
    for run, loaded in parents(sim):
        assert run.state == loaded, run


@random_child_failure.expect("return_state ignored", "run_deployment unchecked")
def the_parent_is_completed_whatever_happened(sim):
    for run, _ in parents(sim):
        assert run.state == "Completed", run


@random_child_failure.expect("plain subflow", "run_deployment checked")
def the_clean_up_is_not_even_created_after_a_failure(sim):
    for run, loaded in parents(sim):
        children = [child.flow for child in run.children]
        expected = ["extract", "transform-load"] + ["cleanup"] * (loaded == "Completed")
        assert children == expected, run


@random_child_failure.expect(
    "return_state ignored", "return_state returned", "run_deployment unchecked"
)
def the_clean_up_always_runs(sim):
    for run, _ in parents(sim):
        assert [child.flow for child in run.children] == ["extract", "transform-load", "cleanup"]
        assert run.children[-1].state == "Completed", run


@random_child_failure.expect("plain subflow", "run_deployment checked")
def what_was_not_loaded_is_still_there(sim):
    failed = {batch(run) for run, loaded in parents(sim) if loaded == "Failed"}
    assert batches(sim, "raw.sales") == failed


@random_child_failure.expect(
    "return_state ignored", "return_state returned", "run_deployment unchecked"
)
def what_was_not_loaded_is_lost(sim):
    loaded = {batch(run) for run, loaded in parents(sim) if loaded == "Completed"}
    assert batches(sim, "raw.sales") == set()
    assert batches(sim, "marts.sales") == loaded


@random_child_failure.expect("plain subflow")
def the_parent_carries_the_child_s_error(sim):
    for run, loaded in parents(sim):
        if loaded == "Failed":
            assert "half of them fail" in run.message, run
            assert [state.name for state in run.states][-2:] == ["Running", "Failed"], run


@random_child_failure.measure
def clean_ups_skipped(sim) -> Measure:
    return skipped_cleanups(sim.history(), cleanup="cleanup")
