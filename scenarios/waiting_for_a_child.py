"""Waiting for a child's end: what the parent makes of it, and what its log says of the child."""

import logging
from datetime import timedelta

from prefect import Flow

from pipelines import waiting_for_a_child as pipeline
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario

IGNORED = "run_deployment, end ignored"
RAISED = "run_deployment, end raised"
FOLLOWED = "log followed, end raised"

PARTS = 3
FAILING = 4  # the task run that fails: the second part of the second cycle
CYCLES_A_DAY = 4


@scenario(
    name="waiting-for-a-child",
    question="Does my parent fail when the child does, and can I read the child's log in it?",
    lesson=(
        "`run_deployment` waits for the end and returns it; a failed one is raised only by "
        "`raise_state_exception`, and then with the child's own error, if parent and child share "
        "their result storage. No line of the child's log reaches the parent's: to have them there, "
        "order with `timeout=0`, and repeat what the API has until a little after the final state."
    ),
    patterns=("P09",),
    variants={
        IGNORED: pipeline.wait_and_ignore,
        RAISED: pipeline.wait_and_raise,
        FOLLOWED: pipeline.follow_and_raise,
    },
)
def waiting_for_a_child(sim: Simulation, variant: Flow, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(pipeline.land_parts, name="dev")
    sim.deploy(variant, name="dev", cron=f"30 */{24 // CYCLES_A_DAY} * * *")
    sim.takes("land-part", timedelta(minutes=1))
    sim.fail("land-part", on=[FAILING], error=ConnectionError("the shop does not answer"))
    sim.advance(days=days)


def cycles(sim: Simulation) -> list[tuple[RunRecord, RunRecord]]:
    """Each run of the parent with its one child."""
    found = []
    for run in sim.runs():
        if run.parent is None:
            (child,) = run.children
            found.append((run, child))
    return found


def parts_logged(run: RunRecord) -> list[str]:
    """The lines about parts in a run's log, without the name of the child before them."""
    return [line.message.split(" | ")[-1] for line in run.logs if "part " in line.message]


def errors_logged(run: RunRecord) -> list[str]:
    """The messages of a run's log lines from ERROR on."""
    return [line.message for line in run.logs if line.level >= logging.ERROR]


@waiting_for_a_child.expect()
def one_child_fails_half_way_and_the_others_are_completed(sim, days):
    found = cycles(sim)
    assert len(found) == CYCLES_A_DAY * days
    for number, (_, child) in enumerate(found):
        assert child.state == ("Failed" if number == FAILING // PARTS else "Completed"), child
        landed = sim.warehouse.query(
            "select distinct part from raw.parts where starts_with(batch_id, ?) order by 1",
            [child.parameters["batch_id"]],
        )
        expected = FAILING % PARTS if child.failed else PARTS
        assert [part for (part,) in landed] == list(range(1, expected + 1)), child
        assert len(parts_logged(child)) == expected, child


@waiting_for_a_child.expect()
def every_parent_ends_after_its_child_but_soon(sim):
    followed = timedelta(seconds=pipeline.POLL_INTERVAL + pipeline.GRACE)
    for run, child in cycles(sim):
        slack = followed if run.flow == "follow-and-raise" else timedelta(seconds=5)
        assert timedelta(0) <= run.end - child.end <= slack, run


@waiting_for_a_child.expect(IGNORED)
def a_parent_that_ignores_the_end_is_completed(sim):
    for run, _ in cycles(sim):
        assert run.state == "Completed", run
        assert not errors_logged(run), run


@waiting_for_a_child.expect(RAISED, FOLLOWED)
def a_parent_that_raises_the_end_fails_with_its_child_and_says_why(sim):
    for run, child in cycles(sim):
        assert run.state == child.state, run
        if child.failed:
            assert "ConnectionError: the shop does not answer" in run.message, run
            assert [state.name for state in run.states][-2:] == ["Running", "Failed"], run


@waiting_for_a_child.expect(IGNORED, RAISED)
def no_line_of_the_child_is_in_the_parent_s_log(sim):
    for run, _ in cycles(sim):
        assert not parts_logged(run), run


@waiting_for_a_child.expect(FOLLOWED)
def the_child_s_lines_are_in_the_parent_s_log_once_each_and_in_order(sim):
    for run, child in cycles(sim):
        assert parts_logged(run) == parts_logged(child), run
        lines = [line.message for line in run.logs]
        repeated = [line for line in lines if line.startswith(f"{child.name} | ")]
        assert repeated == [f"{child.name} | {line.message}" for line in child.logs], run


@waiting_for_a_child.expect(FOLLOWED)
def the_child_s_errors_are_errors_in_the_parent_s_log(sim):
    for run, child in cycles(sim):
        of_child = [line for line in errors_logged(run) if line.startswith(child.name)]
        assert len(of_child) == len(errors_logged(child)), run
        assert bool(of_child) == child.failed, run


@waiting_for_a_child.measure
def child_lines_in_the_parents_log(sim) -> Measure:
    lines = [(run, message) for run, child in cycles(sim) for message in parts_logged(child)]
    seen = sum(message in parts_logged(run) for run, message in lines)
    return share("child's lines in the parent's log", seen, len(lines))
