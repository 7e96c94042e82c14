"""A gap of five hours is filled, each hour upon the one before it, while the schedule goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from pipelines import filling_gaps as pipeline
from pipelines.filling_gaps import HOUR, MOVED, POOL, QUEUE
from simulator import Simulation
from simulator.faults import DeploymentPaused
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """How the hours are deployed, and whether a parent orders those of the gap."""

    deployed: Mapping[str, Any] = field(default_factory=dict)
    parent: bool = False


NOTHING = "all at once"
DEPLOYMENT = "a limit of the deployment"
LIMITED_QUEUE = "a limit of the queue"
PARENT = "a parent that orders them"

MINUTE = timedelta(minutes=1)
PAUSED, RESUMED = 1.5 * HOUR, 6.5 * HOUR
FIRST, MISSING = 2, 5  # hours
NEXT, LAST = 7, 8  # hours, of the schedule
ORDERED = NEXT * HOUR - 10 * MINUTE
TAKES = timedelta(seconds=pipeline.TAKES)


@scenario(
    name="filling-gaps",
    question="I fill a gap, each hour upon the last. Does the schedule wait until I am through?",
    lesson=(
        "Only if both stand in one queue. Ordered all at once, the hours begin at once, upon the same "
        "old balance. A limit of one on the deployment runs one at a time, and yet the hour of the "
        "schedule gets ahead: a run that is refused is due again later, and comes after it. Its balance "
        "is wrong, and each later one, Completed. A parent keeps its own hours in order, and knows "
        "nothing of the schedule. With a limit of one on the queue runs keep their places: the hour of "
        "the schedule is late, and right."
    ),
    patterns=("R11",),
    variants={
        NOTHING: Variant(),
        DEPLOYMENT: Variant({"concurrency_limit": 1}),
        LIMITED_QUEUE: Variant({"work_queue_name": QUEUE}),
        PARENT: Variant(parent=True),
    },
)
def filling_gaps(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.work_pool(POOL)
    pipeline.create_queue()
    sim.deploy(
        pipeline.close_hour, name="dev", cron="0 * * * *", work_pool=POOL, **variant.deployed
    )
    sim.deploy(pipeline.fill_gap, name="dev")
    paused = (sim.start + PAUSED, sim.start + RESUMED)
    sim.inject(DeploymentPaused(deployment="close-hour/dev", between=paused))
    if variant.parent:
        gap = {"first": at(sim, FIRST).isoformat(), "hours": MISSING}
        sim.trigger("fill-gap/dev", at=sim.start + ORDERED, parameters=gap)
    else:
        for number in range(MISSING):  # a second after each other, so that there is an order
            due = sim.start + ORDERED + timedelta(seconds=number)
            hour = {"hour": at(sim, FIRST + number).isoformat()}
            sim.trigger("close-hour/dev", at=due, parameters=hour)
    sim.advance_to(at(sim, LAST) + 10 * MINUTE)


def at(sim: Simulation, hour: int) -> datetime:
    """The instant of an hour."""
    return sim.start + hour * HOUR


def closed(sim: Simulation) -> list[int]:
    """The hours in the order in which they were closed."""
    found = sim.warehouse.query("select hour from marts.balances order by closed_at")
    return [(hour - sim.start) // HOUR for (hour,) in found]


def wrong(sim: Simulation) -> set[int]:
    """The hours whose balance is wrong."""
    balances = sim.warehouse.query("select hour, balance from marts.balances")
    found = {(hour - sim.start) // HOUR: balance for hour, balance in balances}
    return {hour for hour, balance in found.items() if balance != hour * MOVED}


def closings(sim: Simulation) -> list[RunRecord]:
    """The runs since the gap was ordered, in the order in which they began."""
    runs = [run for run in sim.runs("close-hour") if run.scheduled >= sim.start + ORDERED]
    return sorted(runs, key=lambda run: run.start)


def of_schedule(sim: Simulation) -> RunRecord:
    """The run of the schedule that is due while the gap is being filled."""
    (run,) = [run for run in closings(sim) if run.auto_scheduled and run.scheduled == at(sim, NEXT)]
    return run


GAP = set(range(FIRST, NEXT))


@filling_gaps.expect()
def every_run_is_completed_and_every_hour_is_closed_once(sim):
    assert {run.state for run in sim.runs()} == {"Completed"}
    assert sorted(closed(sim)) == list(range(1, LAST + 1))


@filling_gaps.expect(NOTHING)
def all_of_them_begin_upon_the_same_balance(sim):
    begun = [run.start for run in closings(sim)][:MISSING]
    assert begun[-1] - begun[0] < TAKES
    assert wrong(sim) == (GAP | {NEXT, LAST}) - {FIRST}


@filling_gaps.expect(DEPLOYMENT, LIMITED_QUEUE, PARENT)
def those_of_the_gap_are_closed_one_at_a_time_and_in_their_order(sim):
    assert [hour for hour in closed(sim) if hour in GAP] == sorted(GAP)
    assert not wrong(sim) & GAP


@filling_gaps.expect(DEPLOYMENT, LIMITED_QUEUE)
def no_two_run_at_a_time(sim):
    runs = closings(sim)
    assert all(one.end <= two.start for one, two in pairwise(runs))


@filling_gaps.expect(DEPLOYMENT, PARENT)
def the_schedule_gets_ahead_and_each_later_balance_is_wrong(sim):
    order = closed(sim)
    assert order.index(NEXT) < order.index(NEXT - 1)
    assert wrong(sim) == {NEXT, LAST}


@filling_gaps.expect(DEPLOYMENT)
def what_it_got_ahead_of_was_refused_and_due_later(sim):
    run = of_schedule(sim)
    behind = [
        one for one in closings(sim) if one.scheduled < run.scheduled and one.start > run.start
    ]
    assert behind
    for one in behind:
        assert "AwaitingConcurrencySlot" in [state.name for state in one.states], one


@filling_gaps.expect(LIMITED_QUEUE)
def the_schedule_waits_for_its_turn_and_is_right(sim):
    assert closed(sim) == list(range(1, LAST + 1))
    assert wrong(sim) == set()
    run = of_schedule(sim)
    assert run.start >= sim.start + ORDERED + MISSING * TAKES
    assert "Late" in [state.name for state in run.states]


@filling_gaps.measure
def what_becomes_of_the_balances(sim) -> list[Measure]:
    gap = [run for run in closings(sim) if run.scheduled != at(sim, NEXT)]
    through = max(run.end for run in gap if run.scheduled != at(sim, LAST)) - sim.start - ORDERED
    late = of_schedule(sim).start - at(sim, NEXT)
    return [
        share("balances that are wrong", len(wrong(sim)), len(closed(sim))),
        Measure("the gap filled after", through.total_seconds(), "seconds", n=1),
        Measure("the schedule late by", late.total_seconds(), "seconds", n=1),
    ]
