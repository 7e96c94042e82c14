"""Retries of child and parent."""

from __future__ import annotations

from prefect import flow, task
from prefect.deployments import run_deployment

from simulator import Simulation
from tests.conformance.case import case, ended, until
from tests.conformance.shapes import good


@flow(retries=2, retry_delay_seconds=2)
def retried() -> None:
    pass


@flow
def calls_retried() -> None:
    retried()


@case()
def child_succeeds_at_last(sim: Simulation) -> None:
    """Two attempts fail, the third one does not; each waits for two seconds."""
    sim.fail("retried", attempts="1-2")
    assert sim.run(calls_retried).completed


@case()
def child_fails_to_the_end(sim: Simulation) -> None:
    """Three attempts fail."""
    sim.fail("retried")
    assert sim.run(calls_retried).failed


@flow(retries=1, retry_delay_seconds=1)
def parent_retries() -> None:
    good()
    last_step()


@task
def last_step() -> None:
    pass


@case()
def parent_retry_runs_child_again(sim: Simulation) -> None:
    """Without persisted results a parent's second attempt runs its child again."""
    sim.fail("last_step", on=[0])
    assert sim.run(parent_retries).completed


@flow(persist_result=True)
def remembered() -> str:
    return "remembered"


@flow(retries=1, retry_delay_seconds=1)
def parent_retries_remembered() -> None:
    remembered()
    last_step()


@case()
def parent_retry_with_persisted_child(sim: Simulation) -> None:
    """With a persisted result, does it?"""
    sim.fail("last_step", on=[0])
    assert sim.run(parent_retries_remembered).completed


@task(persist_result=True)
def remembered_task() -> str:
    return "remembered"


@flow(retries=1)
def parent_retries_tasks() -> None:
    remembered_task()
    last_step()


@case()
def parent_retry_with_persisted_task(sim: Simulation) -> None:
    """A task with a persisted result is not run again."""
    sim.fail("last_step", on=[0])
    assert sim.run(parent_retries_tasks).completed


@flow(retries=1, retry_delay_seconds=1)
def parent_retries_deployment() -> None:
    run_deployment("good/retried-parent", poll_interval=0.5)
    last_step()


@case()
def parent_retry_with_deployment(sim: Simulation) -> None:
    """A parent's second attempt, and the run that its first one has ordered."""
    sim.deploy(good, "retried-parent")
    sim.fail("last_step", on=[0])
    assert sim.run(parent_retries_deployment).completed


@task(retries=2, retry_delay_seconds=[1, 3])
def retried_task() -> None:
    pass


@flow
def retries_task() -> None:
    retried_task()


@case()
def task_retries_with_growing_delays(sim: Simulation) -> None:
    """One second, then three."""
    sim.fail("retried_task", attempts="1-2")
    assert sim.run(retries_task).completed


def never(task, task_run, state):
    return False


@task(retries=3, retry_condition_fn=never)
def not_worth_it() -> None:
    pass


@flow
def retries_nothing() -> None:
    not_worth_it()


@case()
def task_retry_refused_by_condition(sim: Simulation) -> None:
    """A condition that says no: one attempt."""
    sim.fail("not_worth_it")
    assert sim.run(retries_nothing).failed


@case()
def deployed_child_retries_in_its_process(sim: Simulation) -> None:
    """A deployment's run that retries: is it given back to the worker in between?"""
    sim.deploy(retried, "retried")
    sim.fail("retried", attempts="1")
    sim.trigger("retried/retried")
    until(sim, ended(sim, "retried"))
