"""A short simulation of what most simulations do, before others are forked from this process.

On its way the application puts its routes together, SQLAlchemy its mappers and statements, Pydantic
its validators: a fifth of the time of a short simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.deployments import run_deployment

from simulator.simulation import Simulation

if TYPE_CHECKING:
    from simulator.history import History


@task(name="rehearsed-step")
def step() -> None:
    """A task."""


@flow(name="rehearsed-child")
def child() -> None:
    """A subflow, and a deployment."""
    step.submit().wait()


@flow(name="rehearsed-parent")
def parent() -> None:
    """Call the child in both ways, and fail."""
    child()
    run_deployment("rehearsed-child/rehearsal")
    raise ValueError


def rehearse() -> History:
    """Run it, and return what happened."""
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(child, name="rehearsal")
        sim.deploy(parent, name="rehearsal", cron="0 * * * *")
        sim.advance(hours=1, minutes=30)
        return sim.history()
