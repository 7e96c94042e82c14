"""Sources made by a factory, and where the limit of their API is kept."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines import factory
from simulator import Simulation
from simulator.measures import Measure, mean
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """Where a limit is set: on the pool, or by options of each deployment. Else on the queues."""

    pool_limit: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


NO_LIMIT = "no limit"
DEPLOYMENT = "a limit on each deployment"
POOL = "a limit on the pool"
QUEUE = "a queue with a limit for each API"

MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
SOURCES = {
    "orders": "shop-api",
    "payments": "shop-api",
    "customers": "shop-api",
    "returns": "shop-api",
    "campaigns": "ads-api",
}
ADDED = {"vouchers": "shop-api"}
CALL = timedelta(minutes=10)
ELSEWHERE = {"work_queue_name": None}


@scenario(
    name="deployment-factory",
    question="How do I add a source without calling its API too often at a time?",
    lesson=(
        "Give each API a work queue with a limit, and let one function deploy every source to the "
        "queue of its API: a new source is one call, and keeps the limit without knowing it. A limit "
        "on each deployment holds back only runs of the same source; one on the pool lets the "
        "sources of a slow API keep all others waiting. Runs that wait for a slot are Late meanwhile."
    ),
    patterns=("P25",),
    days=1,
    start=MIDNIGHT - timedelta(minutes=10),
    variants={
        NO_LIMIT: Variant(options=ELSEWHERE),
        DEPLOYMENT: Variant(options=ELSEWHERE | {"concurrency_limit": 1}),
        POOL: Variant(pool_limit=2, options=ELSEWHERE),
        QUEUE: Variant(),
    },
)
def deployment_factory(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.takes("load-source", CALL)
    sim.work_pool(factory.POOL, concurrency_limit=variant.pool_limit)
    factory.create_queues()
    for source, api in SOURCES.items():
        factory.add_source(source, api, deploy=sim.deploy, **variant.options)
    sim.advance(minutes=50)
    for source, api in ADDED.items():  # one call more
        factory.add_source(source, api, deploy=sim.deploy, **variant.options)
    sim.advance_to(MIDNIGHT + timedelta(days=days - 1, hours=1, minutes=59))


def loads(sim: Simulation, api: str | None = None) -> list[RunRecord]:
    """The runs that have started (of the sources of an API)."""
    apis = {f"load-source/{source}": its for source, its in (SOURCES | ADDED).items()}
    runs = [run for run in sim.runs("load-source") if run.start]
    return [run for run in runs if api in (None, apis[run.deployment])]


def calls_at_once(sim: Simulation, api: str) -> int:
    """The largest number of runs that call an API at one time."""
    runs = loads(sim, api)
    return max(sum(one.start <= run.start < one.end for one in runs) for run in runs)


def delays(sim: Simulation, api: str) -> list[timedelta]:
    """How long after its scheduled time each run of an API's sources has started."""
    return [run.start - run.scheduled for run in loads(sim, api)]


@deployment_factory.expect()
def every_source_lands_every_hour_and_the_added_one_from_the_next_hour_on(sim, days):
    hours = [MIDNIGHT + timedelta(hours=at) for at in range(24 * (days - 1) + 2)]
    for source in SOURCES | ADDED:
        expected = hours[1:] if source in ADDED else hours
        runs = [run for run in loads(sim) if run.deployment == f"load-source/{source}"]
        assert [run.scheduled for run in runs] == expected
        assert {run.state for run in runs} == {"Completed"}
        landed = sim.warehouse.query(f"select distinct batch_id from raw.{source} order by 1")
        assert landed == [(f"{hour:%Y%m%dT%H%MZ}",) for hour in expected]


@deployment_factory.expect(NO_LIMIT, DEPLOYMENT)
def all_sources_of_an_api_call_it_at_once(sim):
    assert calls_at_once(sim, "shop-api") == 5  # the added one as well
    assert max(delays(sim, "shop-api")) < timedelta(seconds=10)


@deployment_factory.expect(POOL, QUEUE)
def the_limit_holds_for_the_added_source_too(sim):
    assert calls_at_once(sim, "shop-api") == factory.APIS["shop-api"]


@deployment_factory.expect(QUEUE)
def a_queue_keeps_nobody_waiting_but_the_sources_of_its_api(sim):
    assert max(delays(sim, "ads-api")) <= timedelta(seconds=10)
    assert max(delays(sim, "shop-api")) >= 2 * CALL  # five calls, two at a time


@deployment_factory.expect(POOL)
def a_pool_s_limit_keeps_all_sources_waiting(sim):
    everywhere = [run.start - run.scheduled for run in loads(sim)]
    assert max(everywhere) >= 2 * CALL  # six calls, two at a time
    assert len(loads(sim)) / 3 <= sum(delay >= CALL for delay in everywhere)


@deployment_factory.expect(QUEUE, POOL)
def a_run_that_waits_for_a_slot_is_late(sim):
    for run in loads(sim, "shop-api"):
        names = [state.name for state in run.states]
        waited = run.start - run.scheduled > timedelta(seconds=30)
        assert ("Late" in names) == waited, run
        assert "AwaitingConcurrencySlot" not in names, run


@deployment_factory.measure
def calls(sim) -> list[Measure]:
    return [
        Measure(f"calls at once, {api}", calls_at_once(sim, api), "runs", n=len(loads(sim, api)))
        for api in factory.APIS
    ] + [
        mean(f"waiting, {api}", [delay.total_seconds() for delay in delays(sim, api)])
        for api in factory.APIS
    ]
