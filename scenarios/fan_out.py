"""Deployments fanned out through tasks, tied to their parent or not: a good day, a failure, a
cancellation.
"""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.states import Cancelling

from pipelines import fan_out as pipeline
from pipelines.submitting import SOURCES
from simulator import Simulation
from simulator.measures import Measure, mean
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, its parameters, and how many imports each of a day's three cycles begins."""

    parent: Flow
    begun: tuple[int, int, int]
    as_subflow: bool | None = None


ONE_BY_ONE = "one by one"
TIED = "at once, as_subflow=True"
LOOSE = "at once, as_subflow=False"

FETCHING = [timedelta(minutes=minutes) for minutes in (20, 5, 15, 10)]  # source by source
FAILING = 1  # the second source, in the second cycle of a day
CANCELLED_AFTER = timedelta(minutes=7)  # the third cycle
POLL = timedelta(seconds=15)  # at most: the worker's ten seconds and run_deployment's five


@scenario(
    name="fan-out",
    question="How do I run many deployments at once, and what does as_subflow change?",
    lesson=(
        "Submitted in tasks, deployments take as long as the slowest plus one poll; one by one they "
        "add up. `as_subflow` changes nothing while all goes well, nor when a child fails: the task "
        "raises. It decides what is left when the parent is cancelled: tied children are cancelled "
        "within half a minute, loose ones run on, with nothing that leads back to who ordered them."
    ),
    patterns=("P18",),
    variants={
        ONE_BY_ONE: Variant(pipeline.parent_one_by_one, begun=(4, 2, 1)),
        TIED: Variant(pipeline.parent_fan_out, begun=(4, 4, 4), as_subflow=True),
        LOOSE: Variant(pipeline.parent_fan_out, begun=(4, 4, 4), as_subflow=False),
    },
)
def fan_out(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(pipeline.import_source, name="dev")
    parameters = {} if variant.as_subflow is None else {"as_subflow": variant.as_subflow}
    sim.deploy(variant.parent, name="dev", cron="30 */8 * * *", parameters=parameters)
    good, bad, cancelled = variant.begun
    sim.takes("fetch-rows", days * [*FETCHING[:good], *FETCHING[:bad], *FETCHING[:cancelled]])
    sim.fail(
        "fetch-rows",
        on=[day * sum(variant.begun) + good + FAILING for day in range(days)],
        after=FETCHING[FAILING],
        error=ConnectionError("the payments do not answer"),
    )
    for day in range(days):
        sim.advance_to(sim.start + timedelta(days=day, hours=16, minutes=30) + CANCELLED_AFTER)
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(parents(sim)[-1].id, Cancelling())
        sim.advance_to(sim.start + timedelta(days=day + 1))


def parents(sim: Simulation) -> list[RunRecord]:
    """The parent's runs: good, bad, cancelled, and so on."""
    return [run for run in sim.runs() if run.flow.startswith("parent-")]


def imports(sim: Simulation, run: RunRecord) -> dict[str, RunRecord]:
    """The imports that a parent has ordered, by source, whether or not they are tied to it."""
    batch = f"{run.scheduled:%Y%m%dT%H%MZ}"
    return {
        one.parameters["source"]: one
        for one in sim.runs("import-source")
        if one.parameters["batch_id"] == batch
    }


def outcome(sim: Simulation, run: RunRecord) -> list[str]:
    """How a parent's imports ended, in the order of the sources."""
    states = {source: one.state for source, one in imports(sim, run).items()}
    return [states[source] for source in SOURCES if source in states]


def landed(sim: Simulation, run: RunRecord) -> int:
    """The number of sources whose rows of a parent's batch are there."""
    count = "select count(distinct source) from raw.sources where starts_with(batch_id, ?)"
    ((sources,),) = sim.warehouse.query(count, [f"{run.scheduled:%Y%m%dT%H%MZ}"])
    return sources


@fan_out.expect()
def a_good_cycle_lands_everything(sim, days):
    assert len(parents(sim)) == 3 * days
    for run in parents(sim)[::3]:
        assert run.state == "Completed", run
        assert outcome(sim, run) == ["Completed"] * 4, run
        assert landed(sim, run) == 4, run


@fan_out.expect(TIED, LOOSE)
def at_once_takes_as_long_as_the_slowest(sim):
    for run in parents(sim)[::3]:
        assert timedelta(0) <= run.end - run.start - max(FETCHING) <= POLL, run
        starts = [one.start for one in imports(sim, run).values()]
        assert max(starts) - min(starts) < timedelta(seconds=1), run


@fan_out.expect(ONE_BY_ONE)
def one_by_one_takes_as_long_as_all_together(sim):
    for run in parents(sim)[::3]:
        waited = run.end - run.start - sum(FETCHING, timedelta(0))
        assert timedelta(seconds=5) * 4 <= waited <= POLL * 4, run
        ordered = list(imports(sim, run).values())
        for before, after in pairwise(ordered):
            assert before.end <= after.start, after


@fan_out.expect()
def a_failing_child_fails_its_task_and_its_parent(sim):
    for run in parents(sim)[1::3]:
        assert run.state == "Failed", run
        assert "ConnectionError: the payments do not answer" in run.message, run
        (task,) = [one for one in run.tasks if one.name == f"import {SOURCES[FAILING]}"]
        assert task.state == "Failed", task


@fan_out.expect(TIED, LOOSE)
def the_others_come_to_their_end(sim):
    for run in parents(sim)[1::3]:
        assert outcome(sim, run) == ["Completed", "Failed", "Completed", "Completed"], run
        assert landed(sim, run) == 3, run


@fan_out.expect(ONE_BY_ONE)
def the_others_are_never_ordered(sim):
    for run in parents(sim)[1::3]:
        assert outcome(sim, run) == ["Completed", "Failed"], run


@fan_out.expect(ONE_BY_ONE, TIED)
def tied_children_are_children(sim):
    for run in parents(sim):
        assert {one.id for one in run.children} == {one.id for one in imports(sim, run).values()}


@fan_out.expect(LOOSE)
def loose_children_are_nobody_s(sim):
    assert len(sim.runs("import-source")) == 4 * len(parents(sim))
    for run in sim.runs():
        assert run.children == (), run
        assert run.parent is None, run


@fan_out.expect()
def a_cancelled_parent_is_cancelled(sim):
    for run in parents(sim)[2::3]:
        assert [state.name for state in run.states][-3:] == ["Running", "Cancelling", "Cancelled"]
        assert run.end - run.start <= CANCELLED_AFTER + timedelta(minutes=1), run


@fan_out.expect(ONE_BY_ONE, TIED)
def a_cancelled_parent_takes_along_what_is_under_way(sim):
    for run in parents(sim)[2::3]:
        expected = ["Cancelled", "Completed", "Cancelled", "Cancelled"][: len(run.children)]
        assert outcome(sim, run) == expected, run
        for child in run.children:
            assert child.end - run.end <= timedelta(seconds=30), child
        assert landed(sim, run) == expected.count("Completed"), run


@fan_out.expect(LOOSE)
def a_cancelled_parent_leaves_loose_children_running(sim):
    for run in parents(sim)[2::3]:
        assert outcome(sim, run) == ["Completed"] * 4, run
        assert landed(sim, run) == 4, run
        assert sum(one.end > run.end for one in imports(sim, run).values()) == 3, run


@fan_out.measure
def cost(sim) -> list[Measure]:
    lasted = [(run.end - run.start).total_seconds() for run in parents(sim)[::3]]
    left = [
        max(0.0, (one.end - run.end).total_seconds())
        for run in parents(sim)[2::3]
        for one in imports(sim, run).values()
    ]
    return [mean("a good cycle takes", lasted), mean("children outlive a cancelled parent", left)]
