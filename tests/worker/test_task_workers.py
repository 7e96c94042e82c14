"""Task workers: what is delayed runs in a process that serves it, and not without one."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from prefect import flow, task
from prefect.task_runners import PrefectTaskRunner
from prefect.task_worker import aserve, serve

from simulator import NothingToRun, Simulation, SimulationError

DONE: list[object] = []


@task
def doubles(number: int) -> int:
    time.sleep(60)
    DONE.append(number)
    return 2 * number


@task
async def doubles_async(number: int) -> int:
    await asyncio.sleep(60)
    return 2 * number


@task(retries=1, retry_delay_seconds=30)
def fails_once() -> str:
    DONE.append("tried")
    if len(DONE) == 1:
        raise ValueError("the first time")
    return "done"


@flow
def delays_and_waits() -> int:
    return doubles.delay(21).result()


@flow
async def delays_and_waits_async() -> int:
    future = doubles_async.delay(21)
    return await future.result_async()


@flow(task_runner=PrefectTaskRunner())
def submits() -> list[int]:
    return [future.result() for future in [doubles.submit(number) for number in range(3)]]


@pytest.fixture
def sim():
    DONE.clear()
    with Simulation(start="2026-01-05T00:00:00Z") as opened:
        yield opened


def test_a_task_that_is_delayed_runs_in_a_task_worker(sim):
    sim.serve_tasks(doubles)
    run = sim.run(delays_and_waits)
    assert (run.state, run.result) == ("Completed", 42)
    assert run.end - run.start == timedelta(minutes=1)


def test_an_async_task_that_is_delayed_runs_in_a_task_worker(sim):
    sim.serve_tasks(doubles_async)
    run = sim.run(delays_and_waits_async)
    assert (run.state, run.result) == ("Completed", 42)
    assert run.end - run.start == timedelta(minutes=1)


def test_tasks_of_a_prefect_task_runner_run_side_by_side(sim):
    sim.serve_tasks(doubles)
    run = sim.run(submits)
    assert (run.state, run.result) == ("Completed", [0, 2, 4])
    assert run.end - run.start == timedelta(minutes=1)


def test_the_limit_of_a_task_worker_holds(sim):
    sim.serve_tasks(doubles, limit=1)
    run = sim.run(submits)
    assert (run.state, run.result) == ("Completed", [0, 2, 4])
    assert run.end - run.start == timedelta(minutes=3)


def test_two_task_workers_share_the_work(sim):
    sim.serve_tasks(doubles, limit=1)
    sim.serve_tasks(doubles, limit=1)
    run = sim.run(submits)
    assert (run.state, run.result) == ("Completed", [0, 2, 4])
    assert run.end - run.start == timedelta(minutes=2)


@pytest.mark.parametrize(
    "start",
    [
        lambda: serve(doubles),
        lambda: doubles.serve(),
        lambda: asyncio.run(aserve(doubles)),
    ],
    ids=["serve", "Task.serve", "aserve"],
)
def test_prefects_own_ways_to_serve_tasks_return_at_once(sim, start):
    start()
    assert sim.now == sim.start
    assert sim.run(delays_and_waits).result == 42


def test_a_test_delays_a_task_and_lets_time_pass(sim):
    future = doubles.delay(4)
    sim.advance(hours=1)
    assert DONE == []
    sim.serve_tasks(doubles)
    sim.advance(minutes=2)
    assert DONE == [4]
    assert future.result() == 8


def test_a_test_waits_for_a_task_that_it_has_delayed(sim):
    sim.serve_tasks(doubles)
    assert doubles.delay(4).result() == 8
    assert sim.now - sim.start == timedelta(minutes=1)


def test_a_task_that_fails_in_a_task_worker_is_retried(sim):
    sim.serve_tasks(fails_once)
    assert fails_once.delay().result() == "done"
    assert DONE == ["tried", "tried"]
    assert sim.now - sim.start == timedelta(seconds=30)


# -- without one -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow_", [delays_and_waits, submits])
def test_without_a_task_worker_the_error_names_the_cause(sim, flow_):
    with pytest.raises(NothingToRun, match=r"^task 'doubles' waits for a task worker") as told:
        sim.run(flow_)
    assert "Simulation.serve_tasks" in str(told.value).splitlines()[0]


def test_a_test_that_waits_without_a_task_worker_is_told_at_once(sim):
    future = doubles.delay(4)
    for wait in (future.result, future.wait, lambda: asyncio.run(future.result_async())):
        with pytest.raises(NothingToRun, match="task 'doubles' waits for a task worker"):
            wait()


def test_what_is_no_task_is_refused(sim):
    with pytest.raises(SimulationError, match="decorate plain with @task"):
        sim.serve_tasks(plain)
    with pytest.raises(SimulationError, match="give one or more"):
        sim.serve_tasks()


def plain() -> None:
    pass
