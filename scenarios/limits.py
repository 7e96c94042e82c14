"""A hundred requests, ten at a time: which limit holds, and what waiting for it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from pipelines import limits as pipeline
from pipelines.limits import AT_MOST, PAGES
from simulator import Simulation
from simulator.measures import Measure, mean
from simulator.records import RunRecord
from simulator.scenario import scenario


def tag_limit(sim: Simulation) -> None:
    """As ``prefect concurrency-limit create`` does."""
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit(pipeline.TAG, AT_MOST)


def global_limit(sim: Simulation) -> None:
    """As ``prefect gcl create`` does."""
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=pipeline.LIMIT, limit=AT_MOST)
        )


def pool_limit(sim: Simulation) -> None:
    """As ``prefect work-pool set-concurrency-limit`` does; with the children's deployment in it."""
    sim.work_pool("pages", concurrency_limit=AT_MOST)
    sim.deploy(pipeline.load_page_flow, name="dev", work_pool="pages")


def nothing(sim: Simulation) -> None:
    """No limit to make."""


@dataclass(frozen=True)
class Variant:
    """A parent, how its limit is made, and the most requests at a time that come of it."""

    parent: Flow
    limit: Callable[[Simulation], None]
    most: int
    work_pool: str = "default"
    regions: tuple[str, ...] = ("north", "south")


WORKERS = "max_workers=10"
TAG = "a tag limit"
SLOT = "concurrency(...)"
POOL = "the work pool's limit"
SUBFLOWS = "the work pool's limit, and subflows"

ALL = 2 * PAGES
REQUEST = timedelta(seconds=pipeline.REQUEST)
POLL = timedelta(seconds=10)


@scenario(
    name="limits",
    question="How do I run a hundred things, ten at a time?",
    lesson=(
        "A tag limit, `concurrency(...)` and a work pool's limit hold ten over both parents; "
        "`max_workers=10` is ten for each of them, so twenty. The pool's limit holds back deployment "
        "runs alone: the subflows of one run make all their requests at once. A waiting task asks "
        "again every second or two (not every thirty seconds, as it once was); a pool fills its "
        "places at its worker's polls only, every ten seconds."
    ),
    patterns=("P19",),
    variants={
        WORKERS: Variant(pipeline.by_max_workers, nothing, most=2 * AT_MOST),
        TAG: Variant(pipeline.by_tag, tag_limit, most=AT_MOST),
        SLOT: Variant(pipeline.by_slot, global_limit, most=AT_MOST),
        POOL: Variant(pipeline.by_pool, pool_limit, most=AT_MOST),
        SUBFLOWS: Variant(
            pipeline.by_pool_with_subflows,
            pool_limit,
            most=PAGES,
            work_pool="pages",
            regions=("north",),
        ),
    },
)
def limits(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    variant.limit(sim)
    sim.deploy(variant.parent, name="dev", work_pool=variant.work_pool)
    for region in variant.regions:
        sim.trigger(f"{variant.parent.name}/dev", parameters={"region": region})
    sim.advance(minutes=15)


def parents(sim: Simulation) -> list[RunRecord]:
    """The parent's runs, one for each region."""
    return [run for run in sim.runs() if run.parent is None]


def calls(sim: Simulation, region: str | None = None) -> list[tuple[datetime, datetime]]:
    """When each request began and ended, in the order of their beginnings."""
    return sim.warehouse.query(
        "select began_at, ended_at from raw.calls where region = ? or ? is null order by 1, page",
        [region, region],
    )


def most_at_a_time(spans: list[tuple[datetime, datetime]]) -> int:
    """The largest number of spans that overlap. One that begins as another ends does not."""
    changes = sorted([(end, -1) for _, end in spans] + [(began, 1) for began, _ in spans])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def took(sim: Simulation) -> timedelta:
    """From the first request's beginning to the last one's end."""
    spans = calls(sim)
    return max(end for _, end in spans) - min(began for began, _ in spans)


@limits.expect()
def every_page_is_loaded_once_and_the_parents_are_completed(sim, variant):
    assert [run.state for run in parents(sim)] == ["Completed"] * len(variant.regions)
    pages = sim.warehouse.query("select region, page from raw.calls order by all")
    assert pages == [(region, page) for region in variant.regions for page in range(PAGES)]


@limits.expect()
def so_many_requests_are_made_at_a_time(sim, variant):
    assert most_at_a_time(calls(sim)) == variant.most


@limits.expect(WORKERS)
def max_workers_is_a_limit_of_each_run(sim, variant):
    for region in variant.regions:
        assert most_at_a_time(calls(sim, region)) == AT_MOST
    assert abs(took(sim) - PAGES / AT_MOST * REQUEST) < timedelta(seconds=1)


@limits.expect(TAG, SLOT)
def a_free_slot_is_taken_within_a_second_or_two(sim):
    at_best = ALL / AT_MOST * REQUEST
    assert at_best <= took(sim) <= 1.5 * at_best, took(sim)


@limits.expect(POOL)
def a_pool_is_filled_at_every_poll_of_its_worker(sim):
    starts = sorted({began.replace(microsecond=0) for began, _ in calls(sim)})
    assert {after - before for before, after in pairwise(starts)} == {POLL}
    assert len(starts) == ALL // AT_MOST


@limits.expect(TAG)
def what_waits_for_a_tag_is_not_running(sim):
    tasks = [one for run in parents(sim) for one in run.tasks]
    assert len(tasks) == ALL
    waited = [one for one in tasks if one.end - one.scheduled > REQUEST + timedelta(seconds=1)]
    assert len(waited) >= ALL - AT_MOST
    running = [(one.start, one.end) for one in tasks]
    assert most_at_a_time(running) == AT_MOST


@limits.expect(SLOT)
def what_waits_for_a_slot_is_running(sim):
    running = [(one.start, one.end) for run in parents(sim) for one in run.tasks]
    assert most_at_a_time(running) == ALL


@limits.expect(POOL)
def what_waits_for_the_pool_is_scheduled_or_late(sim):
    children = [child for run in parents(sim) for child in run.children]
    assert len(children) == ALL
    assert all(child.deployment == "load-page-flow/dev" for child in children)
    assert most_at_a_time([(child.start, child.end) for child in children]) == AT_MOST
    late = [child for child in children if "Late" in [state.name for state in child.states]]
    assert len(late) >= ALL - 3 * AT_MOST


@limits.expect(SUBFLOWS)
def a_pool_counts_no_subflows(sim):
    assert len(sim.runs("load-page-flow")) == PAGES
    assert took(sim) < REQUEST + timedelta(seconds=1)


@limits.measure
def load(sim) -> list[Measure]:
    spans = calls(sim)
    first = min(run.start for run in parents(sim))
    return [
        Measure("requests at a time", most_at_a_time(spans), "requests", n=len(spans)),
        mean("waiting for a request", [(began - first).total_seconds() for began, _ in spans]),
        Measure("all pages take", took(sim).total_seconds(), "seconds", n=len(spans)),
    ]
