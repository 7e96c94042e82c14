"""Four children at once in an async parent, and one of them fails."""

from datetime import timedelta

from prefect import Flow

from pipelines import gathering as pipeline
from pipelines.gathering import SOURCES
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario

GATHER = "asyncio.gather"
EXCEPTIONS = "asyncio.gather, return_exceptions"
STATES = "asyncio.gather of states, returned"
GROUP = "AnyIO task group"
PREFECT = "Prefect's gather"
DEPLOYMENTS = "asyncio.gather of run_deployment"

FETCHING = [timedelta(minutes=minutes) for minutes in (5, 10, 15, 20)]  # source by source
FAILING = 1  # the second source, in the second cycle of a day


@scenario(
    name="gathering",
    question="One of four gathered children fails: what becomes of the parent and the other three?",
    lesson=(
        "`asyncio.gather` fails the parent at once and drops the others: their runs stay Running for "
        "ever. A task group, and Prefect's `gather` which is one, cancels them, and they end Crashed; "
        "their work is lost. `return_exceptions=True` lets all finish and hides the failure. To have "
        "both, gather the states and return them."
    ),
    patterns=("P17",),
    variants={
        GATHER: pipeline.parent_gather,
        EXCEPTIONS: pipeline.parent_gather_exceptions,
        STATES: pipeline.parent_gather_states,
        GROUP: pipeline.parent_task_group,
        PREFECT: pipeline.parent_prefect_gather,
        DEPLOYMENTS: pipeline.parent_gather_deployments,
    },
)
def gathering(sim: Simulation, variant: Flow, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(pipeline.load_source, name="dev")
    sim.deploy(variant, name="dev", cron="30 */12 * * *")  # a good cycle and a bad one a day
    sim.takes("fetch-source", FETCHING * 2 * days)
    sim.fail(
        "fetch-source",
        on=[(2 * day + 1) * len(SOURCES) + FAILING for day in range(days)],
        after=FETCHING[FAILING],
        error=ConnectionError("the payments do not answer"),
    )
    sim.advance(days=days)


def cycles(sim: Simulation) -> tuple[list[RunRecord], list[RunRecord]]:
    """The parents of the good cycles, and those of the bad ones."""
    parents = [run for run in sim.runs() if run.parent is None]
    return parents[::2], parents[1::2]


def outcome(run: RunRecord) -> list[str]:
    """How a parent's four children ended, or have not, in the order of the sources."""
    states = {child.parameters["source"]: child.state for child in run.children}
    return [states[source] for source in SOURCES]


def landed(sim: Simulation, run: RunRecord) -> list[str]:
    """The sources whose rows of a parent's batch are there."""
    batch = run.children[0].parameters["batch_id"]
    rows = sim.warehouse.query(
        "select distinct source from raw.sources where starts_with(batch_id, ?)", [batch]
    )
    return [source for source in SOURCES if (source,) in rows]


def lasted(run: RunRecord) -> int:
    """Whole minutes from start to end."""
    return (run.end - run.start) // timedelta(minutes=1)


def without_payments() -> list[str]:
    """All sources but the one that fails."""
    return [source for number, source in enumerate(SOURCES) if number != FAILING]


@gathering.expect()
def four_good_children_take_as_long_as_the_slowest(sim, days):
    good, bad = cycles(sim)
    assert len(good) == len(bad) == days
    for run in good:
        assert run.state == "Completed", run
        assert outcome(run) == ["Completed"] * 4, run
        assert lasted(run) == 20, run
        assert landed(sim, run) == SOURCES, run


@gathering.expect(GATHER, GROUP, PREFECT)
def the_parent_fails_at_the_first_failure(sim):
    for run in cycles(sim)[1]:
        assert run.state == "Failed", run
        assert lasted(run) == 10, run
        assert landed(sim, run) == SOURCES[:1], run


@gathering.expect(GATHER)
def the_others_stay_running_for_ever(sim):
    for run in cycles(sim)[1]:
        assert "the payments do not answer" in run.message
        assert outcome(run) == ["Completed", "Failed", "Running", "Running"], run
        for child in run.children[2:]:
            assert child.end is None, child


@gathering.expect(GROUP, PREFECT)
def the_others_crash_with_the_first_failure(sim):
    for run in cycles(sim)[1]:
        assert "ExceptionGroup" in run.message, run
        assert outcome(run) == ["Completed", "Failed", "Crashed", "Crashed"], run
        for child in run.children[2:]:
            assert child.message == "Execution was cancelled by the runtime environment.", child
            assert child.end <= run.end, child


@gathering.expect(EXCEPTIONS, STATES, DEPLOYMENTS)
def the_others_come_to_their_end(sim):
    for run in cycles(sim)[1]:
        assert outcome(run) == ["Completed", "Failed", "Completed", "Completed"], run
        assert landed(sim, run) == without_payments(), run
        assert lasted(run) == 20, run


@gathering.expect(EXCEPTIONS, DEPLOYMENTS)
def the_failure_is_hidden(sim):
    for run in cycles(sim)[1]:
        assert run.state == "Completed", run


@gathering.expect(STATES)
def the_failure_is_told_at_the_end(sim):
    for run in cycles(sim)[1]:
        assert (run.state, run.message) == ("Failed", "1/4 states failed."), run


@gathering.measure
def good_sources_landed(sim) -> Measure:
    bad = cycles(sim)[1]
    there = sum(len(landed(sim, run)) for run in bad)
    return share("good sources landed", there, len(without_payments()) * len(bad))
