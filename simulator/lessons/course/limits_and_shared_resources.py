"""Limits and shared resources: children that write one file, and what a lock around them costs."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.asyncio import concurrency

from simulator import Simulation
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, lasted

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "Six children run at once. Each fetches something for twenty seconds, and then adds one to"
    " the number in a file: it reads the file, takes five seconds, and writes it back. The file"
    " says 0 before. All six are Completed. What does it say then?"
)
ANSWERS = (
    "It says 6: each has added one.",
    "It says something in between: that depends on who comes first.",
    "It says 1: each has read what was there before the others wrote.",
)
KNOB = Knob("slots", 1, "slots of the limit, so many may hold it at a time", 1, 6)

# --- what people write ----------------------------------------------------------------------------

CHILDREN = 6
FETCH = 20  # seconds
WRITE = 5  # seconds from reading the file to writing it back


def total() -> int:
    return int(Path(os.environ["TOTAL"]).read_text())


async def add_one() -> None:
    before = total()
    await asyncio.sleep(WRITE)
    Path(os.environ["TOTAL"]).write_text(str(before + 1))


@flow(name="child")
async def unguarded() -> None:
    await asyncio.sleep(FETCH)
    await add_one()


@flow(name="child")
async def guarded() -> None:
    async with concurrency("total", occupy=1):
        await asyncio.sleep(FETCH)
        await add_one()


@flow(name="parent")
async def parent_without_a_lock() -> None:
    await asyncio.gather(*(unguarded() for _ in range(CHILDREN)))


@flow(name="parent")
async def parent_with_a_lock() -> None:
    await asyncio.gather(*(guarded() for _ in range(CHILDREN)))


LANES = {"no lock": parent_without_a_lock, "a limit": parent_with_a_lock}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {
    "children": CHILDREN,
    "a_child_fetches_for": timedelta(seconds=FETCH),
    "from_reading_to_writing": timedelta(seconds=WRITE),
}


def run(sim: Simulation, parent: Any, slots: float) -> None:
    with get_client(sync_client=True) as client:
        limit = GlobalConcurrencyLimitCreate(name="total", limit=int(slots))
        client.create_global_concurrency_limit(limit)
    file = sim.folder / "total"
    file.write_text("0")
    sim.setenv(TOTAL=file)
    sim.run(parent)


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, slots: float) -> Figures:
    [parent] = sim.runs("parent")
    children = sim.runs("child")
    says = int((sim.folder / "total").read_text())
    return {
        "children Completed": sum(child.completed for child in children),
        "the file says": says,
        "updates that are lost": len(children) - says,
        "it took": parent.end - parent.start,
    }


def right(unguarded: Figures, second: Figures) -> int:
    says = unguarded["the file says"]
    if says == unguarded["children Completed"]:
        return 1
    return 3 if says == 1 else 2


def sentence(unguarded: Figures, second: Figures) -> str:
    def lane(one: Figures) -> str:
        return (
            f"{one['children Completed']} children were Completed in {lasted(one['it took'])}, and"
            f" {one['updates that are lost']} of their updates are lost"
        )

    return f"Without a lock {lane(unguarded)}; in the other lane {lane(second)}."


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line="FETCH = 20  # seconds",
    instead="FETCH = 2  # seconds",
)


@flow(name="child")
async def guarded_where_it_matters() -> None:
    await asyncio.sleep(FETCH)
    async with concurrency("total", occupy=1):
        await add_one()


@flow(name="parent")
async def parent_with_a_narrow_lock() -> None:
    await asyncio.gather(*(guarded_where_it_matters() for _ in range(CHILDREN)))


def solved(unguarded: Figures, second: Figures) -> str:
    if second["children Completed"] != CHILDREN:
        return f"{second['children Completed']} of {CHILDREN} children were Completed"
    if second["updates that are lost"]:
        return "an update is lost"
    one_by_one = CHILDREN * timedelta(seconds=FETCH + WRITE)
    if second["it took"] > one_by_one / 2:
        return f"it takes {lasted(second['it took'])}, more than half of {lasted(one_by_one)}"
    return ""


EXERCISE = Exercise(
    task="Lose no update, and take at most half as long as the children would one by one.",
    solved=solved,
    solution=parent_with_a_narrow_lock,
)
