"""A worker is away for three hours: a storm when it is back, and four ways to have none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig

from pipelines import catching_up as pipeline
from pipelines.catching_up import EVERY
from simulator import Simulation
from simulator.faults import WorkerAway
from simulator.measures import Measure
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A flow, how it is deployed, and whether what is Late is cancelled."""

    flow: Flow = pipeline.refresh_stock
    deployed: Mapping[str, Any] = field(default_factory=dict)
    cancelling: bool = False


def one_at_a_time(strategy: str) -> dict[str, Any]:
    """A deployment's limit of one, with what becomes of the others."""
    return {"concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=strategy)}


STORM = "nothing"
QUEUE = "a limit of one that queues"
CANCEL_NEW = "a limit of one that cancels"
NEWEST = "a guard that runs the newest"
LATE = "an automation that cancels what is late"

HOUR = timedelta(hours=1)
AWAY, BACK = timedelta(minutes=50), timedelta(minutes=50) + 3 * HOUR
MISSED = 6  # cycles, from one o'clock to half past three


@scenario(
    name="catching-up",
    question="My worker was down for hours. Why does everything run at once now, and how do I stop it?",
    lesson=(
        "No schedule is skipped: each missed run is Late, and all of them start in the moment in which "
        "the worker is back. A limit of one makes a queue of them, in which the newest has no "
        "precedence; one that cancels runs an old one and loses the newest. A guard in the flow, which "
        "looks for a later run that is due, leaves one run to do the work. An automation that cancels "
        "what is Late leaves none before the next cycle."
    ),
    patterns=("R01",),
    variants={
        STORM: Variant(),
        QUEUE: Variant(deployed=one_at_a_time("ENQUEUE")),
        CANCEL_NEW: Variant(deployed=one_at_a_time("CANCEL_NEW")),
        NEWEST: Variant(pipeline.refresh_stock_once),
        LATE: Variant(cancelling=True),
    },
)
def catching_up(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(variant.flow, name="dev", interval=EVERY, **variant.deployed)
    if variant.cancelling:
        with get_client(sync_client=True) as client:
            client.create_automation(pipeline.cancel_what_is_late("dev"))
    sim.inject(WorkerAway(between=(sim.start + AWAY, sim.start + BACK)))
    sim.advance(hours=4.9)


def missed(sim: Simulation) -> list[RunRecord]:
    """The runs that were due while the worker was away, oldest first."""
    due = [run for run in sim.runs() if sim.start + AWAY < run.scheduled < sim.start + BACK]
    return sorted(due, key=lambda run: run.scheduled)


def calls(sim: Simulation) -> list[tuple[datetime, datetime, datetime]]:
    """Of each request made since the worker was back: its cycle, its beginning and its end."""
    return sim.warehouse.query(
        "select * from raw.calls where began_at >= ? order by began_at, cycle", [sim.start + BACK]
    )


def most_at_a_time(sim: Simulation) -> int:
    """The largest number of requests at one time since then."""
    spans = [(began, ended) for _, began, ended in calls(sim)]
    return max(sum(began <= one < ended for began, ended in spans) for one, _ in spans)


def fresh_after(sim: Simulation) -> timedelta:
    """From the return of the worker to the end of the first request for a cycle at or after it, or
    for the last one before it.
    """
    newest = sim.start + BACK - EVERY
    return min(ended for cycle, _, ended in calls(sim) if cycle >= newest) - (sim.start + BACK)


@catching_up.expect()
def each_cycle_was_scheduled_and_late(sim):
    assert len(missed(sim)) == MISSED
    for run in missed(sim):
        assert "Late" in [state.name for state in run.states], run


@catching_up.expect(STORM)
def all_of_them_start_when_the_worker_is_back(sim):
    back = sim.start + BACK
    for run in missed(sim):
        assert run.state == "Completed", run
        assert back <= run.start <= back + timedelta(seconds=15), run
    assert most_at_a_time(sim) == MISSED


@catching_up.expect(QUEUE)
def they_run_one_after_the_other(sim):
    assert [run.state for run in missed(sim)] == ["Completed"] * MISSED
    assert most_at_a_time(sim) == 1
    _, _, last = calls(sim)[MISSED - 1]
    assert last - (sim.start + BACK) >= timedelta(seconds=pipeline.TAKES) * MISSED


@catching_up.expect(CANCEL_NEW)
def one_of_them_runs_and_the_newest_is_lost(sim):
    ended = [run.state for run in missed(sim)]
    assert sorted(ended) == ["Cancelled"] * (MISSED - 1) + ["Completed"]
    assert missed(sim)[-1].state == "Cancelled"


@catching_up.expect(NEWEST)
def the_newest_does_the_work_and_the_others_leave_it_to_that(sim):
    assert [run.state for run in missed(sim)] == ["Skipped"] * (MISSED - 1) + ["Completed"]
    assert most_at_a_time(sim) == 1
    assert fresh_after(sim) < timedelta(minutes=3)


@catching_up.expect(LATE)
def nothing_runs_before_the_next_cycle(sim):
    assert [run.state for run in missed(sim)] == ["Cancelled"] * MISSED
    first, _, _ = calls(sim)[0]
    assert first > sim.start + BACK
    assert most_at_a_time(sim) == 1


@catching_up.measure
def what_the_return_costs(sim) -> list[Measure]:
    made = calls(sim)
    old = sum(cycle < sim.start + BACK - EVERY for cycle, _, _ in made)
    return [
        Measure("requests at a time", most_at_a_time(sim), "requests", n=len(made)),
        Measure("requests for what is old", old, "requests", n=len(made)),
        Measure("fresh again after", fresh_after(sim).total_seconds(), "seconds", n=1),
    ]
