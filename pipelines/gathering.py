"""Four sources loaded at once by an async parent: who waits for whom when one of them fails.

``load-source`` lands one source's rows in ``raw.sources``. The parents call it four times, in their
own process and on one event loop. What differs is what happens to the other three when one fails.

An async flow that is dropped in the middle reports nothing: whether its run gets a final state
depends on who cancels it, and whether the loop still lives.
"""

import asyncio
from functools import partial
from random import Random
from typing import Any

import anyio
from prefect import flow, task
from prefect.deployments import run_deployment
from prefect.states import State
from prefect.utilities.asyncutils import gather

from pipelines.warehouse import current_batch, land_rows

SOURCES = ["orders", "payments", "touches", "products"]


@task(name="fetch-source")
async def fetch_source(source: str, batch_id: str) -> list[dict[str, Any]]:
    """One source's rows of a batch."""
    rng = Random(f"{source} {batch_id}")
    return [{"source": source, "amount": rng.randint(1, 100)} for _ in range(5)]


@flow(name="load-source")
async def load_source(source: str, batch_id: str) -> int:
    """Fetch one source's rows of a batch, and land them; returns how many rows."""
    rows = await fetch_source(source, batch_id)
    return land_rows("raw.sources", rows, f"{batch_id} {source}")


@flow(name="parent-gather")
async def parent_gather() -> None:
    """`asyncio.gather`: the first failure is raised at once, and nobody waits for the others.

    For: one line, and the parent fails.
    Against: the parent ends while the others are under way.
    """
    batch_id = current_batch()
    await asyncio.gather(*(load_source(source, batch_id) for source in SOURCES))


@flow(name="parent-gather-exceptions")
async def parent_gather_exceptions() -> None:
    """`asyncio.gather(return_exceptions=True)`: all of them come to their end.

    For: no child is lost because of another.
    Against: exceptions are handed back like results. Unless they are looked at, the parent is
    Completed.
    """
    batch_id = current_batch()
    await asyncio.gather(
        *(load_source(source, batch_id) for source in SOURCES), return_exceptions=True
    )


@flow(name="parent-gather-states")
async def parent_gather_states() -> list[State]:
    """`asyncio.gather` of states, which the parent returns.

    For: all of them come to their end, and the parent fails if one of them has failed.
    Against: nothing, but for the argument that must not be forgotten.
    """
    batch_id = current_batch()
    calls = [load_source(source, batch_id, return_state=True) for source in SOURCES]
    return await asyncio.gather(*calls)


@flow(name="parent-task-group")
async def parent_task_group() -> None:
    """An AnyIO task group: the first failure cancels the others.

    For: nothing is left running when the parent ends.
    Against: good work is thrown away.
    """
    batch_id = current_batch()
    async with anyio.create_task_group() as group:
        for source in SOURCES:
            group.start_soon(load_source, source, batch_id)


@flow(name="parent-prefect-gather")
async def parent_prefect_gather() -> None:
    """Prefect's own `gather`: takes functions, not coroutines; a task group inside."""
    batch_id = current_batch()
    await gather(*(partial(load_source, source, batch_id) for source in SOURCES))


@flow(name="parent-gather-deployments")
async def parent_gather_deployments() -> None:
    """`asyncio.gather` over `run_deployment`: every child in a process of its own.

    For: no child can take another one along.
    Against: `run_deployment` raises nothing, so neither does the parent.
    """
    batch_id = current_batch()
    calls: list[Any] = [
        run_deployment("load-source/dev", parameters={"source": source, "batch_id": batch_id})
        for source in SOURCES
    ]
    await asyncio.gather(*calls)
