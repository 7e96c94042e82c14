"""Eight children add one to the same file: how many of the eight are there afterwards?"""

import json
from datetime import datetime, timedelta
from itertools import combinations

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from pipelines import shared_file as pipeline
from pipelines.shared_file import CHILDREN
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario

UNGUARDED = "no lock"
GUARDED = "lock around the critical section"
WIDE = "lock around everything"
NESTED = "two locks, one after the other"
TOGETHER = "two locks at once"
READERS = "four slots for readers, all for a writer"

FETCH, WRITE = timedelta(seconds=pipeline.FETCH), timedelta(seconds=pipeline.WRITE)
PATIENCE = timedelta(seconds=pipeline.PATIENCE)
RETRY = timedelta(seconds=10)  # how long a slot may stay free until one who waits asks again


@scenario(
    name="shared-file",
    question="My children share a file: what is lost without a lock, and what does a lock cost?",
    lesson=(
        "Without a lock one of eight updates is left, and every run is Completed. A limit of one "
        "around the critical section keeps them all; around everything it makes the children a "
        "queue. Two locks taken one after the other, in two orders, block each other until their "
        "timeouts, with the work half done: take both in one call. With as many slots as readers, a "
        "writer takes all of them."
    ),
    patterns=("P20",),
    variants={
        UNGUARDED: pipeline.add_unguarded,
        GUARDED: pipeline.add_guarded,
        WIDE: pipeline.add_guarded_widely,
        NESTED: pipeline.transfer_nested,
        TOGETHER: pipeline.transfer_together,
        READERS: pipeline.read_or_write,
    },
)
def shared_file(sim: Simulation, variant: Flow) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
    with pipeline.connect() as con:
        con.execute(pipeline.ACCESSES)
    limits = {"totals": 1, "ledger": 1, "readers": pipeline.READERS}
    with get_client(sync_client=True) as client:
        for name, limit in limits.items():
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(name=name, limit=limit)
            )
    sim.deploy(pipeline.update_file, name="dev", parameters={"way": variant.name})
    sim.trigger("update-file/dev")
    sim.advance(minutes=20)


def parent(sim: Simulation) -> RunRecord:
    """The parent's one run."""
    (run,) = sim.runs("update-file")
    return run


def total(sim: Simulation, file: str) -> int:
    """What a file says at the end."""
    path = sim.folder / "landing" / f"{file}.json"
    return json.loads(path.read_text())["total"] if path.exists() else 0


def accesses(sim: Simulation, file: str, kind: str) -> list[tuple[datetime, datetime]]:
    """When a file was open."""
    return sim.warehouse.query(
        "select began_at, ended_at from raw.accesses where file = ? and kind = ? order by 1",
        [file, kind],
    )


def overlaps(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> bool:
    """Whether two spans of time share more than an instant."""
    return one[0] < other[1] and other[0] < one[1]


def took(sim: Simulation) -> timedelta:
    """How long the parent took."""
    return parent(sim).end - parent(sim).start


@shared_file.expect(UNGUARDED, GUARDED, WIDE, TOGETHER, READERS)
def all_children_are_completed_and_so_is_the_parent(sim):
    assert [child.state for child in parent(sim).children] == ["Completed"] * CHILDREN
    assert parent(sim).state == "Completed"


@shared_file.expect(UNGUARDED)
def one_of_eight_updates_is_left(sim):
    writes = accesses(sim, "totals", "write")
    assert len(writes) == CHILDREN
    assert all(overlaps(one, other) for one, other in combinations(writes, 2))
    assert total(sim, "totals") == 1


@shared_file.expect(GUARDED, WIDE, TOGETHER)
def nothing_is_lost_and_writes_never_overlap(sim, variant):
    files = ["totals", "ledger"] if variant is pipeline.transfer_together else ["totals"]
    for file in files:
        writes = accesses(sim, file, "write")
        assert total(sim, file) == len(writes) == CHILDREN
        assert not any(overlaps(one, other) for one, other in combinations(writes, 2))


@shared_file.expect(GUARDED)
def a_narrow_lock_costs_the_writes_alone(sim):
    at_best = FETCH + CHILDREN * WRITE
    # Whoever is next notices at its own next retry, and the last ones have nobody beside them.
    at_worst = at_best + CHILDREN * RETRY
    assert at_best <= took(sim) <= at_worst < CHILDREN * (FETCH + WRITE), took(sim)


@shared_file.expect(WIDE)
def a_wide_lock_makes_a_queue(sim):
    at_best = CHILDREN * (FETCH + WRITE)
    assert at_best <= took(sim) <= at_best + CHILDREN * RETRY, took(sim)


@shared_file.expect(NESTED)
def locks_in_two_orders_block_each_other_until_they_time_out(sim):
    run = parent(sim)
    assert (run.state, run.message) == ("Failed", f"{CHILDREN}/{CHILDREN} states failed."), run
    for child in run.children:
        assert child.state == "TimedOut", child
        assert "timed out after 60" in child.message, child
        assert child.end - child.start >= FETCH + PATIENCE, child


@shared_file.expect(NESTED)
def two_transfers_are_half_done(sim):
    for file in ("totals", "ledger"):
        assert total(sim, file) == len(accesses(sim, file, "write")) == 1


@shared_file.expect(READERS)
def readers_read_together_and_nobody_reads_while_it_is_written(sim):
    reads, writes = accesses(sim, "totals", "read"), accesses(sim, "totals", "write")
    assert (len(reads), len(writes)) == (6, 2)
    assert sum(overlaps(one, other) for one, other in combinations(reads, 2)) >= 6
    for write in writes:
        assert not any(overlaps(write, other) for other in [*reads, *writes] if other != write)
    assert total(sim, "totals") == len(writes)


@shared_file.measure
def what_it_costs(sim) -> list[Measure]:
    wanted = len(accesses(sim, "totals", "write"))
    return [
        share("lost updates", wanted - total(sim, "totals"), wanted),
        Measure("all children take", took(sim).total_seconds(), "seconds", n=CHILDREN),
    ]
