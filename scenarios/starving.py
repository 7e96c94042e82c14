"""Runs that wait for a limit of their deployment are given to the worker in place of others."""

from dataclasses import dataclass
from datetime import timedelta

from pipelines import starving as pipeline
from pipelines.starving import AT_MOST, POOL, SLOTS
from simulator import Simulation
from simulator.measures import Measure
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """Whose limit the backfill has: its deployment's, its queue's or its pool's; and whether it has a
    queue of its own.
    """

    limit_of: str
    queue: bool = False


SHARED = "a limit of the deployment"
PRIORITY = "the same, in a queue that comes second"
QUEUE = "a limit of the queue"
OTHER_POOL = "a pool of its own"

MINUTE = timedelta(minutes=1)
EVERY = 5 * MINUTE
MONTHS = 16
ORDERED = 4.5 * MINUTE
A_POLL = timedelta(seconds=10)


@scenario(
    name="starving",
    question="A slot of the pool is free, and my job is Late behind a backfill. What does it wait for?",
    lesson=(
        "For runs that may not start. The limit of a deployment is looked at when a worker has been "
        "given a run, and a pool with one slot free gives it one run in each poll, the oldest that is "
        "due: one of the backfill's, which is refused, and soon is due again. The job is late by more "
        "than a minute, and the slot stays empty. If the backfill is in a queue that comes second, the "
        "job is punctual, and the refusals go on. A limit of the queue, or of a pool of its own, holds "
        "back what waits before it is given to anybody: the job is punctual, and nothing is refused."
    ),
    patterns=("R08",),
    variants={
        SHARED: Variant("deployment"),
        PRIORITY: Variant("deployment", queue=True),
        QUEUE: Variant("queue", queue=True),
        OTHER_POOL: Variant("pool"),
    },
)
def starving(sim: Simulation, variant: Variant) -> None:
    sim.work_pool(POOL, concurrency_limit=SLOTS)
    deployed = {"work_pool": POOL}
    if variant.queue:
        pipeline.create_queue("backfills", AT_MOST if variant.limit_of == "queue" else None)
        deployed["work_queue_name"] = "backfills"
    if variant.limit_of == "pool":
        sim.work_pool("backfills", concurrency_limit=AT_MOST)
        deployed["work_pool"] = "backfills"
    limit = AT_MOST if variant.limit_of == "deployment" else None
    sim.deploy(pipeline.backfill_month, name="dev", concurrency_limit=limit, **deployed)
    sim.deploy(pipeline.refresh_dashboard, name="dev", interval=EVERY, work_pool=POOL)
    for month in range(MONTHS):
        at = sim.start + ORDERED
        sim.trigger("backfill-month/dev", at=at, parameters={"month": month})
    sim.advance(minutes=14.9)


def months(sim: Simulation) -> list[RunRecord]:
    return sim.runs("backfill-month")


def through(sim: Simulation) -> timedelta:
    """From the order of the backfill to its end."""
    return max(run.end for run in months(sim)) - (sim.start + ORDERED)


def late_by(sim: Simulation) -> list[timedelta]:
    """By how much the refreshes started late that were due before the backfill was through."""
    end = sim.start + ORDERED + through(sim)
    due = [run for run in sim.runs("refresh-dashboard") if run.scheduled < end]
    return [run.start - run.scheduled for run in due]


def refusals(sim: Simulation) -> int:
    """How often a month was given to the worker and refused."""
    states = [state.name for run in months(sim) for state in run.states]
    return states.count("AwaitingConcurrencySlot")


def at_a_time(runs: list[RunRecord], sim: Simulation) -> int:
    """The most of these runs that were Running at one time."""
    return max(sum(one.start <= run.start < one.end for one in runs) for run in runs)


@starving.expect()
def two_months_at_a_time_and_never_three_runs(sim):
    assert {run.state for run in sim.runs()} == {"Completed"}
    assert at_a_time(months(sim), sim) == AT_MOST
    assert len(late_by(sim)) >= 2


@starving.expect(SHARED)
def a_refresh_is_late_while_a_slot_of_the_pool_is_free(sim):
    assert max(late_by(sim)) > MINUTE
    late = max(sim.runs("refresh-dashboard"), key=lambda run: run.start - run.scheduled)
    assert "Late" in [state.name for state in late.states]
    waited = (late.scheduled, late.start)
    busy = [run for run in sim.runs() if run.start < waited[1] and run.end > waited[0]]
    assert at_a_time([run for run in busy if run is not late], sim) < SLOTS
    assert "gave a free slot to backfill-month" in str(sim.explain(late))


@starving.expect(PRIORITY, QUEUE, OTHER_POOL)
def every_refresh_is_punctual(sim):
    assert max(late_by(sim)) < A_POLL


@starving.expect(SHARED, PRIORITY)
def months_are_refused_again_and_again(sim):
    assert refusals(sim) > MONTHS


@starving.expect(QUEUE, OTHER_POOL)
def no_month_is_refused(sim):
    assert refusals(sim) == 0


@starving.measure
def what_the_limit_costs(sim) -> list[Measure]:
    late = late_by(sim)
    return [
        Measure("the dashboard late by up to", max(late).total_seconds(), "seconds", n=len(late)),
        Measure("refusals", refusals(sim), "refusals", n=MONTHS),
        Measure("the backfill through after", through(sim).total_seconds(), "seconds", n=1),
    ]
