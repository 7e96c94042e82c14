"""A machine dies, heartbeats are lost, an event and an exit are late: who is taken for a zombie?"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prefect.client.orchestration import get_client

from pipelines import zombies as pipeline
from simulator import Simulation
from simulator.faults import EventLate, ExitLate, HeartbeatLost, WorkerKilled
from simulator.measures import Measure
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """The patience of the automation, if there is one, and the events that it expects within it."""

    within: timedelta | None = None
    expect: set[str] = field(default_factory=lambda: pipeline.DOCUMENTED)


NOBODY = "nobody watches"
SHORT = "90 seconds, the documented ends"
LONG = "10 minutes, the documented ends"
ANY_END = "10 minutes, any end"

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
DIES, BACK = HOUR + 3 * MINUTE, HOUR + 6 * MINUTE
DEAD, UNHEARD, LATE, LINGERING = 1, 2, 3, 4  # the hours of what happens
RETURNS, END = 4 * HOUR + 30 * MINUTE, 4 * HOUR + 51 * MINUTE
BEAT = timedelta(seconds=pipeline.BEAT)


@scenario(
    name="zombies",
    question="My zombie automation crashes runs that are well. How patient must it be?",
    lesson=(
        "A run whose machine is gone is Running for ever if nobody watches. A patience of ninety "
        "seconds finds it, and takes for dead what is well: a run whose heartbeats are lost for four "
        "minutes is Crashed, goes on and is Completed; one whose Completed event comes late stays "
        "Completed. If the automation also runs them again, their work is done twice. Ten minutes leave "
        "both alone, and find the dead one that much later. No patience helps a run that ends under a "
        "name of its own: it is run again, and again, until the trigger expects `prefect.flow-run.*`. A "
        "process that exits late does no harm, for heartbeats end with the run."
    ),
    patterns=("R07",),
    variants={
        NOBODY: Variant(),
        SHORT: Variant(within=timedelta(seconds=90)),
        LONG: Variant(within=10 * MINUTE),
        ANY_END: Variant(within=10 * MINUTE, expect=pipeline.ANY),
    },
)
def zombies(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(
        WAREHOUSE_PATH=sim.warehouse.path, PREFECT_FLOWS_HEARTBEAT_FREQUENCY=str(pipeline.BEAT)
    )
    sim.deploy(pipeline.import_orders, name="dev", interval=HOUR)
    sim.deploy(pipeline.import_returns, name="dev")
    if variant.within is not None:
        with get_client(sync_client=True) as client:
            client.create_automation(pipeline.run_the_silent_again(variant.within, variant.expect))
    sim.inject(
        [
            WorkerKilled(between=(sim.start + DIES, sim.start + BACK)),
            HeartbeatLost(flow="import-orders", between=during(sim, UNHEARD, 1, 5)),
            EventLate(
                event="prefect.flow-run.Completed",
                flow="import-orders",
                by=5 * MINUTE,
                between=during(sim, LATE, 0, 7),
            ),
            ExitLate(by=5 * MINUTE, between=during(sim, LINGERING, 0, 7)),
        ]
    )
    sim.trigger("import-returns/dev", at=sim.start + RETURNS)
    sim.advance_to(sim.start + END)


def during(sim: Simulation, hour: int, first: int, last: int) -> tuple[datetime, datetime]:
    """From the first to the last of these minutes of an hour."""
    begin = sim.start + hour * HOUR
    return begin + first * MINUTE, begin + last * MINUTE


def imports(sim: Simulation, hour: int) -> list[RunRecord]:
    """The runs of the import in an hour: that of its schedule, then what the automation has ordered."""
    begin, end = during(sim, hour, 0, 60)
    runs = [run for run in sim.runs("import-orders") if begin <= run.scheduled < end]
    return sorted(runs, key=lambda run: run.scheduled)


def done(sim: Simulation, hour: int) -> int:
    """How often orders were imported in an hour."""
    [(count,)] = sim.warehouse.query(
        "select count(*) from raw.imports where began_at >= ? and began_at < ?",
        list(during(sim, hour, 0, 60)),
    )
    return count


def names(run: RunRecord) -> list[str]:
    return [state.name for state in run.states]


@zombies.expect(NOBODY)
def the_dead_run_is_running_for_ever(sim):
    (dead,) = imports(sim, DEAD)
    assert dead.state == "Running", dead
    assert done(sim, DEAD) == 0


@zombies.expect(SHORT, LONG, ANY_END)
def the_dead_run_is_found_after_the_patience_and_run_again(sim, variant):
    dead, again = imports(sim, DEAD)
    assert dead.state == "Crashed", dead
    # One heartbeat before it died, and a look of the server's every few seconds.
    waited = dead.end - (sim.start + DIES)
    assert variant.within - BEAT <= waited <= variant.within + timedelta(seconds=10), waited
    assert again.state == "Completed", again
    assert done(sim, DEAD) == 1


@zombies.expect(SHORT)
def a_run_that_is_well_is_crashed_and_completed_and_done_twice_at_a_time(sim):
    well, again = imports(sim, UNHEARD)
    assert names(well)[-3:] == ["Running", "Crashed", "Completed"]
    assert again.state == "Completed", again
    crashed, completed = well.states[-2:]
    assert crashed.timestamp < again.start < completed.timestamp == well.end
    assert done(sim, UNHEARD) == 2


@zombies.expect(SHORT)
def a_run_whose_end_is_heard_of_late_stays_completed_and_is_done_again(sim):
    well, again = imports(sim, LATE)
    assert well.state == "Completed", well
    assert "Crashed" not in names(well)
    assert well.end < again.start
    assert done(sim, LATE) == 2


@zombies.expect(NOBODY, LONG, ANY_END)
def what_is_well_is_left_alone(sim):
    for hour in (UNHEARD, LATE):
        (well,) = imports(sim, hour)
        assert well.state == "Completed", well
        assert "Crashed" not in names(well)


@zombies.expect()
def a_process_that_exits_late_does_no_harm(sim):
    (well,) = imports(sim, LINGERING)
    assert well.state == "Completed", well
    assert done(sim, LINGERING) == 1


@zombies.expect(SHORT, LONG)
def a_run_with_an_end_of_its_own_is_run_again_and_again(sim, variant):
    runs = sim.runs("import-returns")
    assert {run.state for run in runs} == {"No returns"}
    # Each is taken for dead one patience after its heartbeat.
    assert len(runs) > (END - RETURNS) // (variant.within + MINUTE / 2) >= 2


@zombies.expect(NOBODY, ANY_END)
def whatever_it_is_called_the_end_is_heard(sim):
    (run,) = sim.runs("import-returns")
    assert run.state == "No returns"


@zombies.measure
def what_the_automation_does(sim) -> list[Measure]:
    dead = imports(sim, DEAD)[0]
    found = None if dead.end is None else (dead.end - (sim.start + DIES)).total_seconds()
    hours = (DEAD, UNHEARD, LATE, LINGERING)
    again = len(sim.runs()) - len(hours) - 1 - (found is not None)
    return [
        Measure("the dead one found after", found, "seconds", n=int(found is not None)),
        Measure("hours imported twice", sum(done(sim, hour) > 1 for hour in hours), "hours", n=4),
        Measure("runs ordered for nothing", again, "runs", n=len(sim.runs())),
    ]
