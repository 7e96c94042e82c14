"""Futures, tasks in threads, and gather."""

from __future__ import annotations

import asyncio
import time

import anyio
from prefect import flow, task
from prefect.futures import as_completed, wait
from prefect.task_runners import ThreadPoolTaskRunner

from simulator import Simulation
from tests.conformance.case import case
from tests.conformance.shapes import asleeps, bad, good, sleeps


@task
def naps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task
def fails(seconds: float = 0) -> None:
    time.sleep(seconds)
    raise ValueError("task failed")


@task
def follows(upstream: object) -> None:
    pass


@task
def wraps_sleep(seconds: float) -> None:
    sleeps(seconds)


@task
def wraps_bad() -> None:
    bad()


@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def never_awaits():
    for _ in range(5):
        naps.submit(4)
    time.sleep(1.5)  # until two of them are under way


@case(concurrent=True)
def futures_never_awaited(sim: Simulation) -> None:
    """Two workers, five tasks: what becomes of those that run, and of those that wait?"""
    sim.run(never_awaits)


@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def never_awaits_subflows():
    for _ in range(3):
        wraps_sleep.submit(4)
    time.sleep(1.5)


@case(concurrent=True)
def wrapped_subflows_never_awaited(sim: Simulation) -> None:
    """The same with subflows inside of tasks."""
    sim.run(never_awaits_subflows)


@flow
def waits_only():
    wait([fails.submit(), naps.submit(1)])


@case()
def futures_waited_for_but_not_read(sim: Simulation) -> None:
    """To wait is not to look."""
    assert sim.run(waits_only).completed


@flow
def reads_result():
    fails.submit().result()
    good()


@case()
def future_read(sim: Simulation) -> None:
    """`result` raises what the task has raised."""
    assert sim.run(reads_result).failed


@flow
def reads_quietly():
    fails.submit().result(raise_on_failure=False)
    good()


@case()
def future_read_without_raising(sim: Simulation) -> None:
    """`result(raise_on_failure=False)` returns it."""
    assert sim.run(reads_quietly).completed


@flow
def takes_as_they_finish():
    futures = [wraps_sleep.submit(seconds) for seconds in (6, 3)]
    for future in as_completed(futures):
        future.result()
        good()


@case(concurrent=True)
def subflows_in_tasks_as_they_finish(sim: Simulation) -> None:
    """`as_completed` hands out the quick one first."""
    sim.run(takes_as_they_finish)


@flow
def depends_on_failure():
    failed = fails.submit()
    return follows.submit(failed)


@case()
def task_after_failed_task(sim: Simulation) -> None:
    """A task whose upstream has failed never starts."""
    sim.run(depends_on_failure)


@task
def halves(number: float) -> float:
    return number / 2


@flow
def maps():
    return halves.map([0, 1, "no number"])


@case(concurrent=True)
def mapped_task_fails_once(sim: Simulation) -> None:
    """One of three mapped runs fails."""
    assert sim.run(maps).failed


@flow
def subflow_fails_in_task():
    wraps_bad.submit().wait()


@case()
def subflow_fails_in_unread_task(sim: Simulation) -> None:
    """The subflow fails, the task fails, the parent does not know."""
    assert sim.run(subflow_fails_in_task).completed


@flow
async def gathers():
    await asyncio.gather(asleeps(1), asleeps(6), asleeps(3))


@case(concurrent=True)
def gather_of_subflows(sim: Simulation) -> None:
    """Three at a time: as long as the longest."""
    assert sim.run(gathers).completed


@flow
async def gathers_one_failing():
    await asyncio.gather(asleeps(20), asleeps(1, fails=True), asleeps(30))


@case(concurrent=True)
def gather_with_one_failing(sim: Simulation) -> None:
    """The parent fails; the siblings are left where they are."""
    assert sim.run(gathers_one_failing).failed


@flow
async def gathers_exceptions():
    await asyncio.gather(asleeps(4), asleeps(1, fails=True), return_exceptions=True)


@case(concurrent=True)
def gather_that_returns_exceptions(sim: Simulation) -> None:
    """With `return_exceptions` nothing is raised and all come to an end."""
    assert sim.run(gathers_exceptions).completed


@flow
async def gathers_states():
    return await asyncio.gather(
        asleeps(4, return_state=True), asleeps(1, fails=True, return_state=True)
    )


@case(concurrent=True)
def gather_of_states(sim: Simulation) -> None:
    """States, returned: all come to an end, and the failure is the parent's."""
    assert sim.run(gathers_states).failed


@flow
async def opens_task_group():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(asleeps, 20)
        tasks.start_soon(asleeps, 1, True)


@case(concurrent=True)
def task_group_with_one_failing(sim: Simulation) -> None:
    """A task group cancels the siblings."""
    assert sim.run(opens_task_group).failed


@task
async def anaps(seconds: float, broken: bool = False) -> None:
    await anyio.sleep(seconds)
    if broken:
        raise ValueError("task broke")


@flow
async def gathers_tasks():
    await asyncio.gather(anaps(20), anaps(1, broken=True))


@case(concurrent=True)
def gather_of_tasks_with_one_failing(sim: Simulation) -> None:
    """The same with tasks: what becomes of the sibling?"""
    assert sim.run(gathers_tasks).failed
