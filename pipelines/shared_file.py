"""Eight children and one file: lost updates, and four ways to hold a lock.

Each child fetches something (twenty seconds) and then adds one to ``totals.json``: it reads the
file, takes five seconds, and writes it back. Two children in between those two moments both write
what the other one does not know of. The locks are Prefect's global concurrency limits, which have
to be made before::

    prefect gcl create totals --limit 1
    prefect gcl create ledger --limit 1
    prefect gcl create readers --limit 4

A limit counts slots, not owners: whoever asks for the same one twice waits for himself.

``raw.accesses`` has a row for each time that the file was open, with its beginning and its end.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.concurrency.asyncio import concurrency
from prefect.states import State

from pipelines.warehouse import connect, landing_dir

CHILDREN = 8
FETCH = 20  # seconds
WRITE = 5  # seconds between reading the file and writing it back
PATIENCE = 60  # seconds to wait for a lock
READERS = 4  # so many may read at the same time

ACCESSES = """
create schema if not exists raw;
create table if not exists raw.accesses (
    file varchar, kind varchar, began_at timestamptz, ended_at timestamptz
);
"""


def total(file: str) -> int:
    """What a file says, 0 before the first time."""
    path = landing_dir() / f"{file}.json"
    return int(json.loads(path.read_text())["total"]) if path.exists() else 0


def note(file: str, kind: str, began: datetime) -> None:
    """Add a row to ``raw.accesses``, for an access that ends now."""
    with connect() as con:
        con.execute(ACCESSES)
        con.execute("insert into raw.accesses values (?, ?, ?, now())", [file, kind, began])


async def fetch() -> None:
    """What a child does before it needs the file."""
    await asyncio.sleep(FETCH)


async def add_one(file: str) -> None:
    """Read, think, write: the critical section."""
    began = datetime.now(UTC)
    before = total(file)
    await asyncio.sleep(WRITE)
    (landing_dir() / f"{file}.json").write_text(json.dumps({"total": before + 1}))
    note(file, "write", began)


# --- the children ---------------------------------------------------------------------------------


@flow(name="add-unguarded")
async def add_unguarded(number: int) -> None:
    """No lock.

    Against: updates are lost, and every run is Completed.
    """
    await fetch()
    await add_one("totals")


@flow(name="add-guarded")
async def add_guarded(number: int) -> None:
    """A lock around the critical section, and nothing else.

    For: nothing is lost, and all the fetching is done at the same time.
    """
    await fetch()
    async with concurrency("totals", occupy=1):
        await add_one("totals")


@flow(name="add-guarded-widely")
async def add_guarded_widely(number: int) -> None:
    """A lock around everything.

    Against: one child at a time. It might as well be a loop.
    """
    async with concurrency("totals", occupy=1):
        await fetch()
        await add_one("totals")


@flow(name="transfer-nested")
async def transfer_nested(number: int) -> None:
    """Two files, one lock after the other, and not always in the same order.

    Against: a child that holds the first lock waits for the second, whose holder waits for the
    first. Only the timeout ends that, and each has done half of its work.
    """
    await fetch()
    first, second = ("totals", "ledger") if number % 2 else ("ledger", "totals")
    async with concurrency(first, occupy=1, timeout_seconds=PATIENCE):
        await add_one(first)
        async with concurrency(second, occupy=1, timeout_seconds=PATIENCE):
            await add_one(second)


@flow(name="transfer-together")
async def transfer_together(number: int) -> None:
    """Two files, both locks in one call: all of them or none.

    For: nobody holds one lock and waits for another.
    """
    await fetch()
    async with concurrency(["totals", "ledger"], occupy=1):
        await add_one("totals")
        await add_one("ledger")


@flow(name="read-or-write")
async def read_or_write(number: int) -> None:
    """Readers take one of four slots, a writer all four; every fourth child writes.

    For: readers do not hold each other up, and no one reads while the file is written.
    Against: a writer must find all slots free at once. A steady stream of readers starves it.
    """
    if number % 4 == 3:
        await fetch()
        async with concurrency("readers", occupy=READERS):
            await add_one("totals")
    else:
        await asyncio.sleep(FETCH / 2)
        async with concurrency("readers", occupy=1):
            began = datetime.now(UTC)
            total("totals")
            await asyncio.sleep(FETCH)  # a long read
            note("totals", "read", began)


WAYS: dict[str, Callable[..., Any]] = {
    child.name: child
    for child in (
        add_unguarded,
        add_guarded,
        add_guarded_widely,
        transfer_nested,
        transfer_together,
        read_or_write,
    )
}


@flow(name="update-file")
async def update_file(way: str) -> list[State]:
    """All children at once, in one of the ways; their states are the parent's."""
    child = WAYS[way]
    return await asyncio.gather(*(child(number, return_state=True) for number in range(CHILDREN)))
