"""A downstream that waits for the upstream run of its own cycle."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect import Flow

from pipelines import waiting_downstream as waiting
from pipelines.warehouse import cycle_of
from simulator import Simulation
from simulator.measures import Measure, mean, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """The downstream, the pool that it lives in, and how many runs a pool takes."""

    downstream: Flow
    pool: str = "default"
    limit: int | None = None


NEWEST = "takes the newest batch"
WAITS = "waits for its hour and its date"
FIXED = "waits with a fixed delta"
SHARED = "waits in the pool of its upstream, two slots"
APART = "waits in a pool of its own, two slots"

MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
ORDERS, RATES = timedelta(minutes=5), timedelta(minutes=100)
FAILING = MIDNIGHT + timedelta(hours=3)  # the hour whose orders never come
HOURS = 5  # of the first day


@scenario(
    name="waiting-downstream",
    question="My hourly job needs the daily one. How does it wait for the right run?",
    lesson=(
        "It asks for the run that was scheduled for its own cycle: its hour, or the midnight of its "
        "date; a fixed distance fits one hour a day, and at every other it waits for a run that does "
        "not exist. The newest batch is simply the last one. A waiting run is Running and keeps its "
        "slot: in the pool of its upstream it keeps out what it waits for, so waiters need their own."
    ),
    patterns=("P13",),
    days=1,
    start=MIDNIGHT - timedelta(hours=3),
    variants={
        NEWEST: Variant(waiting.order_values_unwaiting),
        WAITS: Variant(waiting.order_values),
        FIXED: Variant(waiting.order_values_fixed_delta),
        SHARED: Variant(waiting.order_values, limit=2),
        APART: Variant(waiting.order_values, pool="waiters", limit=2),
    },
)
def waiting_downstream(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.takes("fetch-orders", ORDERS)
    sim.takes("fetch-rates", RATES)
    sim.fail("hourly-orders", between=(FAILING, FAILING + timedelta(hours=1)))
    sim.run(waiting.hourly_orders)  # there is something of yesterday
    sim.run(waiting.daily_rates)
    sim.advance_to(MIDNIGHT - timedelta(minutes=10))
    sim.work_pool("default", concurrency_limit=variant.limit)
    sim.work_pool(variant.pool, concurrency_limit=variant.limit)
    sim.deploy(variant.downstream, name="dev", work_pool=variant.pool, cron="0 * * * *")
    sim.deploy(waiting.hourly_orders, name="dev", cron="0 * * * *")
    sim.deploy(waiting.daily_rates, name="dev", cron="0 0 * * *")
    sim.advance_to(MIDNIGHT + timedelta(days=days - 1, hours=HOURS) - timedelta(minutes=1))


def by_cycle(runs: list[RunRecord]) -> dict[datetime, RunRecord]:
    """The deployment's runs that have started, by the instant for which they were scheduled."""
    return {run.scheduled: run for run in runs if run.deployment and run.start}


def downstream(sim: Simulation) -> dict[datetime, RunRecord]:
    """The runs of C, by cycle."""
    return by_cycle([run for run in sim.runs() if run.flow.startswith("order-values")])


def orders(sim: Simulation) -> dict[datetime, RunRecord]:
    """The runs of A, by cycle."""
    return by_cycle(sim.runs("hourly-orders"))


def rates(sim: Simulation) -> dict[datetime, RunRecord]:
    """The runs of B, by cycle."""
    return by_cycle(sim.runs("daily-rates"))


def cycles(days: int) -> list[datetime]:
    """The hours that were lived through."""
    return [MIDNIGHT + timedelta(hours=at) for at in range(24 * (days - 1) + HOURS)]


def midnight_of(cycle: datetime) -> datetime:
    """The cycle of B that belongs to an hour."""
    return cycle.replace(hour=0)


def found(sim: Simulation) -> dict[datetime, tuple[datetime, datetime, datetime, int, int]]:
    """By the cycle of C: when it was built, the cycles of its orders and rates, and how many."""
    return {
        cycle_of(own): (built, cycle_of(orders), cycle_of(rates), many, few)
        for built, own, orders, rates, many, few in sim.warehouse.query(
            "select * from marts.order_values"
        )
    }


def unlike_its_cycle(sim: Simulation) -> list[datetime]:
    """The cycles of C that were built from another hour's orders or another date's rates."""
    return [
        cycle
        for cycle, (_, hour, day, *_) in found(sim).items()
        if (hour, day) != (cycle, midnight_of(cycle))
    ]


@waiting_downstream.expect()
def upstream_lives_its_own_life(sim, days):
    states = {cycle: run.state for cycle, run in orders(sim).items() if run.final}
    assert {cycle for cycle, state in states.items() if state == "Failed"} == {FAILING}
    assert list(states) == cycles(days)
    assert [run.state for run in rates(sim).values()] == ["Completed"] * days


@waiting_downstream.expect(NEWEST)
def the_newest_batch_is_always_that_of_an_earlier_hour(sim, days):
    assert [run.state for run in downstream(sim).values()] == ["Completed"] * len(cycles(days))
    assert unlike_its_cycle(sim) == cycles(days)
    for cycle, (_, hour, day, *_) in found(sim).items():
        assert hour < cycle
        assert (day < midnight_of(cycle)) == (cycle - midnight_of(cycle) < RATES), cycle


@waiting_downstream.expect(WAITS, SHARED, APART)
def every_build_holds_the_batches_of_its_own_cycle(sim, days):
    assert list(downstream(sim)) == cycles(days)
    assert sorted(found(sim)) == [cycle for cycle in cycles(days) if cycle != FAILING]
    assert unlike_its_cycle(sim) == []
    assert {
        counts for *_, orders, rates in found(sim).values() for counts in [(orders, rates)]
    } == {(5, 3)}
    for cycle, run in downstream(sim).items():
        if cycle != FAILING:
            assert run.state == "Completed", run
            assert run.end >= max(orders(sim)[cycle].end, rates(sim)[midnight_of(cycle)].end), run


@waiting_downstream.expect(WAITS, FIXED, SHARED, APART)
def a_failed_upstream_fails_the_run_that_waits_for_it_and_no_other(sim):
    failed = [run for run in downstream(sim).values() if run.state == "Failed"]
    assert [run.scheduled for run in failed] == [FAILING]
    assert "the run of hourly-orders/dev for 2026-01-06 03:00 is Failed" in failed[0].message
    noticed = failed[0].end - orders(sim)[FAILING].end
    assert noticed <= timedelta(seconds=75), noticed  # a poll of C, and one of the worker


@waiting_downstream.expect(WAITS)
def hours_before_the_daily_run_is_through_wait_for_it_together(sim):
    for day, run in rates(sim).items():
        first, second = (downstream(sim)[day + timedelta(hours=at)] for at in (0, 1))
        for one in (first, second):
            assert one.start - one.scheduled < timedelta(seconds=1), one
            assert timedelta(0) <= one.end - run.end <= timedelta(minutes=1), one


@waiting_downstream.expect(FIXED)
def a_fixed_delta_is_right_for_one_hour_a_day(sim):
    for cycle, run in downstream(sim).items():
        if cycle.hour == 1:
            assert run.state == "Completed", run
        elif cycle != FAILING and run.final:
            assert run.state == "TimedOut", run  # what Prefect makes of any TimeoutError
            assert "does not exist" in run.message, run
            assert run.end - run.start >= timedelta(hours=2), run
    assert {cycle.hour for cycle in found(sim)} == {1}


@waiting_downstream.expect(SHARED)
def a_waiting_run_keeps_its_upstream_out_of_the_pool(sim):
    kept_out = {cycle: run.start - cycle for cycle, run in orders(sim).items()}
    assert max(kept_out.values()) > timedelta(minutes=40), kept_out
    assert max(run.end - run.scheduled for run in downstream(sim).values()) > RATES


@waiting_downstream.expect(NEWEST, WAITS, FIXED, APART)
def upstream_starts_on_time(sim):
    for run in orders(sim).values():
        assert run.start - run.scheduled <= timedelta(seconds=10), run


@waiting_downstream.measure
def what_waiting_costs(sim) -> list[Measure]:
    runs = downstream(sim).values()
    return [
        share("built from another cycle", len(unlike_its_cycle(sim)), len(found(sim))),
        mean("age of the hour", [(row[0] - at).total_seconds() for at, row in found(sim).items()]),
        mean("slot held", [(run.end - run.start).total_seconds() for run in runs if run.final]),
        mean(
            "upstream kept out", [(r.start - at).total_seconds() for at, r in orders(sim).items()]
        ),
    ]
