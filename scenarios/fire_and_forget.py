"""A child that is ordered and not waited for: does the parent ever hear of its failure?"""

from datetime import timedelta

from prefect import Flow

from pipelines import fire_and_forget as pipeline
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario

FORGOTTEN = "timeout=0"
TIMEOUT = "timeout=60, state checked"
DEADLINE = "timeout=60, end demanded"
LATER = "ordered for later"
WAITED = "ordered for later, and waited for"

FAILING = 1  # the second child
LOADING = timedelta(minutes=10)
POLL = timedelta(seconds=10)  # of the worker; run_deployment's own are every 5 s
CYCLES_A_DAY = 4


@scenario(
    name="fire-and-forget",
    question="Does fire-and-forget tell me when the child fails?",
    lesson=(
        "No. With `timeout=0` the parent is Completed before the child has begun. A finite timeout "
        "only delays that: the run comes back Running, which no check of failures objects to. Who "
        "takes a child that is not over for a failure gets false alarms instead, for the child is "
        "not cancelled. A child ordered for later keeps a waiting parent Running until its end."
    ),
    patterns=("P06",),
    variants={
        FORGOTTEN: pipeline.order_and_forget,
        TIMEOUT: pipeline.order_with_timeout,
        DEADLINE: pipeline.order_with_deadline,
        LATER: pipeline.order_for_later,
        WAITED: pipeline.order_for_later_and_wait,
    },
)
def fire_and_forget(sim: Simulation, variant: Flow, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(pipeline.transform_load, name="dev")
    sim.deploy(variant, name="dev", cron=f"30 */{24 // CYCLES_A_DAY} * * *")
    sim.takes("extract", timedelta(minutes=1))
    sim.takes("transform-load", LOADING)
    sim.fail("transform-load", on=[FAILING], after=LOADING, error=OSError("the disk is full"))
    sim.advance(days=days)


def cycles(sim: Simulation) -> list[tuple[RunRecord, RunRecord]]:
    """Each run of the parent, with its transform-load."""
    found = []
    for run in sim.runs():
        if run.parent is None:
            extract, loaded = run.children
            assert (extract.flow, extract.state) == ("extract", "Completed"), run
            found.append((run, loaded))
    return found


def batches(sim: Simulation, table: str) -> list[str]:
    """The batch ids in a table."""
    return [
        batch
        for (batch,) in sim.warehouse.query(f"select distinct batch_id from {table} order by 1")
    ]


@fire_and_forget.expect()
def every_child_is_linked_to_its_parent_and_one_fails(sim, days):
    states = [loaded.state for _, loaded in cycles(sim)]
    expected = ["Completed"] * (CYCLES_A_DAY * days)
    expected[FAILING] = "Failed"
    assert states == expected


@fire_and_forget.expect()
def the_mart_lacks_what_failed_whatever_the_parent_says(sim):
    found = cycles(sim)
    assert batches(sim, "raw.sales") == [loaded.parameters["batch_id"] for _, loaded in found]
    assert batches(sim, "marts.sales") == [
        loaded.parameters["batch_id"] for _, loaded in found if loaded.state == "Completed"
    ]


@fire_and_forget.expect(FORGOTTEN, LATER, TIMEOUT)
def the_parent_is_completed_whatever_happens(sim):
    for run, _ in cycles(sim):
        assert run.state == "Completed", run


@fire_and_forget.expect(FORGOTTEN, LATER, TIMEOUT)
def the_parent_ends_before_its_child(sim):
    for run, loaded in cycles(sim):
        assert run.end + timedelta(minutes=5) < loaded.end, run


@fire_and_forget.expect(FORGOTTEN)
def the_parent_ends_before_its_child_has_begun(sim):
    for run, loaded in cycles(sim):
        assert run.end - run.children[0].end <= timedelta(seconds=1), run
        assert run.end <= loaded.start <= run.end + POLL, loaded


@fire_and_forget.expect(TIMEOUT, DEADLINE)
def the_parent_waits_a_minute_and_leaves_a_running_child(sim):
    patience = timedelta(seconds=pipeline.PATIENCE)
    for run, loaded in cycles(sim):
        waited = run.end - run.children[0].end
        assert patience <= waited <= patience + timedelta(seconds=5), run
        assert loaded.start < run.end < loaded.end, loaded


@fire_and_forget.expect(DEADLINE)
def every_parent_fails_also_those_whose_child_ends_well(sim):
    for run, loaded in cycles(sim):
        assert run.state == "TimedOut", run  # the error is a TimeoutError
        assert "has not ended within 60 s" in run.message, run
        assert [state.name for state in loaded.states][-1] != "Cancelled", loaded


@fire_and_forget.expect(LATER, WAITED)
def the_child_waits_for_its_time_on_the_server(sim):
    for _run, loaded in cycles(sim):
        ordered = loaded.states[0]
        assert ordered.name == "Scheduled"
        assert abs(loaded.scheduled - ordered.timestamp - pipeline.LATER) < timedelta(seconds=1)
        assert timedelta(0) <= loaded.start - loaded.scheduled <= POLL, loaded
        assert [state.name for state in loaded.states[:4]] == [
            "Scheduled", "Pending", "Submitting", "Running"
        ], loaded  # fmt: skip


@fire_and_forget.expect(WAITED)
def the_parent_shares_its_child_s_fate_and_is_running_all_the_while(sim):
    for run, loaded in cycles(sim):
        assert run.state == loaded.state, run
        assert timedelta(0) <= run.end - loaded.end <= timedelta(seconds=5), run
        assert run.end - run.start > pipeline.LATER + LOADING, run


@fire_and_forget.measure
def what_the_parents_tell(sim) -> list[Measure]:
    found = cycles(sim)
    failed = [run for run, loaded in found if loaded.failed]
    good = [run for run, loaded in found if loaded.completed]
    return [
        share("failures told", sum(run.failed for run in failed), len(failed)),
        share("false alarms", sum(run.failed for run in good), len(good)),
        share(
            "children left behind", sum(run.end < loaded.end for run, loaded in found), len(found)
        ),
    ]
