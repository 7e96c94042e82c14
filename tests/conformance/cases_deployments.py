"""Runs of deployments: waited for, forgotten, fanned out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from prefect import flow, task
from prefect.deployments import arun_deployment, run_deployment
from prefect.states import raise_state_exception

from simulator import Simulation
from tests.conformance.case import case, ended, until
from tests.conformance.shapes import bad, good, sleeps


@flow
def forgets():
    run_deployment("bad/forgotten", timeout=0)


@case()
def fire_and_forget(sim: Simulation) -> None:
    """`timeout=0`: the parent completes before the child has begun."""
    sim.deploy(bad, "forgotten")
    sim.run(forgets)
    until(sim, ended(sim, "bad"))


@flow
def waits_a_little():
    run_deployment("sleeps/long", parameters={"seconds": 12}, timeout=3, poll_interval=1)


@case(concurrent=True)
def finite_timeout(sim: Simulation) -> None:
    """A time-out that is shorter than the child: the parent goes on without it."""
    sim.deploy(sleeps, "long")
    sim.run(waits_a_little)
    until(sim, ended(sim, "sleeps"))


@flow
def orders_for_later():
    later = datetime.now(UTC) + timedelta(seconds=15)
    run_deployment("good/later", scheduled_time=later, poll_interval=1)


@case()
def ordered_for_later(sim: Simulation) -> None:
    """`scheduled_time`: the parent waits for the hour and for the run."""
    sim.deploy(good, "later")
    assert sim.run(orders_for_later).completed


@flow
def without_link():
    run_deployment("good/unlinked", as_subflow=False, poll_interval=0.5)


@case()
def not_as_subflow(sim: Simulation) -> None:
    """`as_subflow=False`: no link between parent and child, no task run that stands for it."""
    sim.deploy(good, "unlinked")
    assert not sim.run(without_link).children


@flow
def with_name_and_tags():
    run_deployment("good/named", flow_run_name="by-name", tags=["blue"], poll_interval=0.5)


@case()
def name_and_tags_of_a_run(sim: Simulation) -> None:
    """What a run is called, and which tags it has, its deployment's included."""
    sim.deploy(good, "named", tags=["green"])
    sim.run(with_name_and_tags)


@flow
def three_unchecked():
    for name in ("good/first", "bad/second", "good/third"):
        run_deployment(name, poll_interval=0.5)


@case()
def three_in_a_row_unchecked(sim: Simulation) -> None:
    """The second one fails, the third one runs, the parent completes."""
    sim.deploy(good, "first")
    sim.deploy(bad, "second")
    sim.deploy(good, "third")
    assert sim.run(three_unchecked).completed


@flow
def three_checked():
    for name in ("bad/checked", "good/checked"):
        raise_state_exception(run_deployment(name, poll_interval=0.5).state)


@case()
def checked_and_raised(sim: Simulation) -> None:
    """With its final state raised, the next one is never created."""
    sim.deploy(bad, "checked")
    sim.deploy(good, "checked")
    assert sim.run(three_checked).failed


@task
def orders(seconds: float) -> None:
    run_deployment("sleeps/fanned", parameters={"seconds": seconds}, poll_interval=0.5)


@flow
def fans_out():
    for future in [orders.submit(seconds) for seconds in (16, 14)]:
        future.result()


@case(concurrent=True)
def fanned_out_through_tasks(sim: Simulation) -> None:
    """Children ordered by tasks run at the same time, and belong to the parent's run."""
    sim.deploy(sleeps, "fanned")
    assert sim.run(fans_out).completed


@flow
async def gathers_deployments():
    await asyncio.gather(
        *(arun_deployment(f"{name}/gathered", poll_interval=0.5) for name in ("good", "bad"))
    )


@case(concurrent=True)
def gathered_deployments(sim: Simulation) -> None:
    """`arun_deployment` in a gather: a child that fails raises nothing."""
    sim.deploy(good, "gathered")
    sim.deploy(bad, "gathered")
    assert sim.run(gathers_deployments).completed


@flow
def takes_whole_number(number: int) -> int:
    return number


@flow
def passes_word():
    run_deployment("takes-whole-number/strict", parameters={"number": "seven"})


@case()
def parameters_refused(sim: Simulation) -> None:
    """Parameters that do not fit the schema: there is no child, and the parent fails."""
    sim.deploy(takes_whole_number, "strict")
    assert sim.run(passes_word).failed


@flow
def calls_nobody():
    run_deployment("good/no-such-deployment")


@case()
def unknown_deployment(sim: Simulation) -> None:
    """A name that nobody knows fails the parent."""
    assert sim.run(calls_nobody).failed


@flow
def grandchild():
    good()


@flow
def middle():
    run_deployment("grandchild/nested", poll_interval=0.5)


@case()
def three_generations(sim: Simulation) -> None:
    """A deployment's run orders another one, which calls a subflow."""
    sim.deploy(grandchild, "nested")
    sim.deploy(middle, "nested")
    sim.trigger("middle/nested")
    until(sim, ended(sim, "middle"))


@flow
def subflow_of_deployment():
    good()
    bad()


@case()
def subflow_fails_in_deployment(sim: Simulation) -> None:
    """A subflow fails in a worker's process."""
    sim.deploy(subflow_of_deployment, "dev")
    sim.trigger("subflow-of-deployment/dev")
    until(sim, ended(sim, "subflow-of-deployment"))
