"""Subflows in submitted tasks: in threads, in processes, and with nobody looking at the futures."""

from dataclasses import replace
from datetime import datetime, timedelta

from prefect import Flow

from pipelines import submitting as pipeline
from pipelines.submitting import SOURCES
from simulator import Simulation
from simulator.measures import Measure, mean, peak_concurrency, share
from simulator.records import RunRecord
from simulator.scenario import scenario

IN_ORDER = "threads, results in order"
AS_COMPLETED = "threads, results as they finish"
LEFT = "two threads, futures never read"
PROCESSES = "process pool"

FETCHING = [timedelta(minutes=minutes) for minutes in (20, 5, 15, 10)]  # source by source
FAILING = 1  # the second source, in the second cycle of a day
ANNOUNCING = timedelta(minutes=1)


@scenario(
    name="submitting",
    question="What do I gain by submitting subflows in tasks, and who notices when one fails?",
    lesson=(
        "Four children that wait take as long as the slowest. Results taken in order wait for those "
        "before them, and so does a failure; `as_completed` gives each when it is there. Futures that "
        "nobody reads hide failures, and drop what is queued: two of four sources are never begun, "
        "and the parent is Completed. A process pool leaves the process and so the simulation, which "
        "refuses it: see it with real processes in the conformance run."
    ),
    patterns=("P16",),
    variants={
        IN_ORDER: pipeline.parent_submit_in_order,
        AS_COMPLETED: pipeline.parent_submit_as_completed,
        LEFT: pipeline.parent_submit_and_leave,
        PROCESSES: pipeline.parent_submit_to_processes,
    },
)
def submitting(sim: Simulation, variant: Flow, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    with pipeline.connect() as con:
        con.execute(pipeline.ARRIVALS)
    sim.deploy(variant, name="dev", cron="30 */12 * * *")  # a good cycle and a bad one a day
    begun = 2 if variant is pipeline.parent_submit_and_leave else len(SOURCES)  # in each cycle
    sim.takes("fetch-rows", FETCHING[:begun] * 2 * days)
    sim.takes("announce", ANNOUNCING)
    sim.fail(
        "fetch-rows",
        on=[(2 * day + 1) * begun + FAILING for day in range(days)],
        after=FETCHING[FAILING],
        error=ConnectionError("the payments do not answer"),
    )
    sim.advance(days=days)


def cycles(sim: Simulation) -> tuple[list[RunRecord], list[RunRecord]]:
    """The parents of the good cycles, and those of the bad ones."""
    parents = [run for run in sim.runs() if run.parent is None]
    return parents[::2], parents[1::2]


def outcome(run: RunRecord) -> dict[str, str]:
    """How a parent's children ended, by source."""
    return {child.parameters["source"]: child.state for child in run.children}


def landed(sim: Simulation, run: RunRecord) -> set[str]:
    """The sources whose rows of a parent's batch are there."""
    rows = sim.warehouse.query(
        "select distinct source from raw.sources where starts_with(batch_id, ?)", [batch(run)]
    )
    return {source for (source,) in rows}


def taken(sim: Simulation, run: RunRecord) -> dict[str, datetime]:
    """When a parent took notice of each source, in that order."""
    rows = "select source, taken_at from marts.arrivals where batch_id = ? order by taken_at"
    return dict(sim.warehouse.query(rows, [batch(run)]))


def batch(run: RunRecord) -> str:
    """The batch id of a parent's cycle."""
    return f"{run.scheduled:%Y%m%dT%H%MZ}"


def lasted(run: RunRecord) -> int:
    """Whole minutes from start to end."""
    return (run.end - run.start) // timedelta(minutes=1)


@submitting.expect(IN_ORDER, AS_COMPLETED)
def all_are_imported_in_the_time_of_the_slowest(sim, days):
    good, bad = cycles(sim)
    assert len(good) == len(bad) == days
    for run in good:
        assert run.state == "Completed", run
        assert outcome(run) == dict.fromkeys(SOURCES, "Completed"), run
        assert lasted(run) == 20, run
        assert landed(sim, run) == set(taken(sim, run)) == set(SOURCES), run


@submitting.expect(IN_ORDER, AS_COMPLETED)
def the_failing_source_fails_its_task_and_its_parent_and_no_other(sim):
    for run in cycles(sim)[1]:
        assert run.state == "Failed", run
        assert "the payments do not answer" in run.message, run
        expected = dict.fromkeys(SOURCES, "Completed") | {SOURCES[FAILING]: "Failed"}
        assert outcome(run) == expected, run
        tasks = [one.state for one in run.tasks if one.task == "import-in-task"]
        assert sorted(tasks) == ["Completed"] * 3 + ["Failed"], run
        assert landed(sim, run) == {*SOURCES} - {SOURCES[FAILING]}, run


@submitting.expect(IN_ORDER)
def in_order_everything_waits_for_the_first(sim):
    for run in cycles(sim)[0]:
        assert list(taken(sim, run)) == SOURCES
        assert min(taken(sim, run).values()) - run.start >= FETCHING[0]
    for run in cycles(sim)[1]:
        assert lasted(run) == 20, run  # fails fifteen minutes after its child
        assert list(taken(sim, run)) == SOURCES[:FAILING]


@submitting.expect(AS_COMPLETED)
def as_they_finish_each_result_is_taken_at_once(sim):
    by_speed = [source for _, source in sorted(zip(FETCHING, SOURCES, strict=True))]
    for run in cycles(sim)[0]:
        assert list(taken(sim, run)) == by_speed
        for source, duration in zip(SOURCES, FETCHING, strict=True):
            late = taken(sim, run)[source] - run.start - duration
            assert timedelta(0) <= late < timedelta(seconds=1), source


@submitting.expect(AS_COMPLETED)
def a_failure_ends_the_parent_while_others_go_on(sim):
    for run in cycles(sim)[1]:
        assert lasted(run) == 5, run
        assert taken(sim, run) == {}
        late = [child for child in run.children if child.end > run.end]
        assert len(late) == 3, run


@submitting.expect(LEFT)
def the_parent_is_completed_before_its_children(sim):
    for run in (run for runs in cycles(sim) for run in runs):
        assert run.state == "Completed", run
        assert lasted(run) == 1, run
        assert all(child.end > run.end for child in run.children), run


@submitting.expect(LEFT)
def what_was_queued_is_dropped_without_a_trace(sim):
    good, bad = cycles(sim)
    for run in good:
        assert outcome(run) == dict.fromkeys(SOURCES[:2], "Completed"), run
        assert landed(sim, run) == set(SOURCES[:2]), run
    for run in bad:
        assert outcome(run) == {SOURCES[0]: "Completed", SOURCES[1]: "Failed"}, run
    for run in good + bad:
        tasks = [one for one in run.tasks if one.task == "import-in-task"]
        assert len(tasks) == 2, run


@submitting.expect(PROCESSES)
def a_process_pool_is_refused_with_what_to_use_instead(sim, days):
    runs = sim.runs()
    assert len(runs) == 2 * days
    for run in runs:
        assert run.state == "Failed", run
        assert "use ThreadPoolTaskRunner" in run.message, run


@submitting.measure
def gain(sim) -> list[Measure]:
    good, bad = cycles(sim)
    waits = [(at - run.start).total_seconds() for run in good for at in taken(sim, run).values()]
    begun = sum(len(run.children) for run in good + bad)
    return [
        mean("time until a result is used", waits),
        share("sources begun", begun, len(SOURCES) * len(good + bad)),
        replace(peak_concurrency(sim.history(), "import-source"), name="imports at a time"),
    ]
