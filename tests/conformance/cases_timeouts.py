"""Time-outs of child, parent, task and deployment."""

from __future__ import annotations

import subprocess
import sys
import time

import anyio
from prefect import flow, task
from prefect.deployments import run_deployment

from simulator import Simulation
from tests.conformance.case import case, ended, until
from tests.conformance.shapes import sleeps


@flow(timeout_seconds=2)
def too_slow() -> None:
    time.sleep(5)


@flow
def calls_too_slow() -> None:
    too_slow(return_state=True)


@case()
def child_times_out(sim: Simulation) -> None:
    """A sleeping child is interrupted at its deadline."""
    sim.run(calls_too_slow)


@flow(timeout_seconds=2)
async def async_too_slow() -> None:
    await anyio.sleep(5)


@flow
async def calls_async_too_slow():
    return await async_too_slow(return_state=True)


@case()
def async_child_times_out(sim: Simulation) -> None:
    """So is an async one."""
    sim.run(calls_async_too_slow)


@flow(timeout_seconds=2)
def times_out_in_child() -> None:
    sleeps(5)


@case()
def parent_times_out_in_child(sim: Simulation) -> None:
    """The parent's deadline comes while its child sleeps."""
    sim.run(times_out_in_child)


@flow(timeout_seconds=3)
def times_out_in_deployment() -> None:
    run_deployment("sleeps/outlives", parameters={"seconds": 6}, poll_interval=0.5)


@case(concurrent=True)
def parent_times_out_waiting_for_deployment(sim: Simulation) -> None:
    """The parent is gone, the run that it has ordered goes on."""
    sim.deploy(sleeps, "outlives")
    sim.run(times_out_in_deployment)
    until(sim, ended(sim, "sleeps"))


@task(timeout_seconds=2)
def slow_task() -> None:
    time.sleep(4)


@flow
def calls_slow_task() -> None:
    slow_task(return_state=True)


@case()
def task_times_out(sim: Simulation) -> None:
    """A task called in the main thread."""
    sim.run(calls_slow_task)


@flow
def submits_slow_task() -> None:
    slow_task.submit().wait()


@case()
def submitted_task_times_out(sim: Simulation) -> None:
    """In a thread of a pool nothing interrupts a sleep."""
    sim.run(submits_slow_task)


@task(timeout_seconds=2)
async def async_slow_task() -> None:
    await anyio.sleep(4)


@flow
async def calls_async_slow_task() -> None:
    await async_slow_task(return_state=True)


@case()
def async_task_times_out(sim: Simulation) -> None:
    """An async task is cancelled at its deadline."""
    sim.run(calls_async_slow_task)


@task(timeout_seconds=1, retries=1, retry_delay_seconds=1)
def slow_again() -> None:
    time.sleep(3)


@flow
def calls_slow_again() -> None:
    slow_again()


@case()
def time_outs_are_retried(sim: Simulation) -> None:
    """A time-out is a failure: retried, and then raised."""
    assert sim.run(calls_slow_again).failed


@case()
def deployment_times_out(sim: Simulation) -> None:
    """A worker's process is interrupted at the deadline of its flow."""
    sim.deploy(too_slow, "deployed")
    sim.trigger("too_slow/deployed".replace("_", "-"))
    until(sim, ended(sim, "too-slow"))


OUTLASTS = [sys.executable, "-c", "import time; time.sleep(6)"]


@flow(timeout_seconds=2)
def waits_for_a_process() -> None:
    subprocess.run(OUTLASTS, check=True)


@case(concurrent=True)
def deployment_times_out_in_subprocess(sim: Simulation) -> None:
    """A run that waits for a subprocess is interrupted at its deadline."""
    sim.deploy(waits_for_a_process, "outlasts")
    sim.trigger("waits-for-a-process/outlasts")
    until(sim, ended(sim, "waits-for-a-process"))


@task(timeout_seconds=2)
def task_waits_for_a_process() -> None:
    subprocess.check_output(OUTLASTS)


@flow
def calls_a_task_that_waits() -> None:
    task_waits_for_a_process(return_state=True)


@case()
def task_times_out_in_subprocess(sim: Simulation) -> None:
    """So is a task, while it reads what the process writes."""
    sim.run(calls_a_task_that_waits)
