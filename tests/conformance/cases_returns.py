"""What a parent returns decides its final state."""

from __future__ import annotations

from prefect import flow

from simulator import Simulation
from tests.conformance.case import case


@flow
def good() -> str:
    return "good"


@flow
def bad() -> None:
    raise ValueError("bad")


@flow
def returns_nothing() -> None:
    bad(return_state=True)
    good()


@case()
def parent_returns_nothing(sim: Simulation) -> None:
    """A failed child goes unnoticed: a masked failure."""
    sim.run(returns_nothing)


@flow
def returns_state():
    return bad(return_state=True)


@case()
def parent_returns_state(sim: Simulation) -> None:
    """The parent ends as the state that it returns."""
    sim.run(returns_state)


@flow
def returns_list():
    return [good(return_state=True), bad(return_state=True), bad(return_state=True)]


@case()
def parent_returns_list_of_states(sim: Simulation) -> None:
    """One failed state among several fails the parent, with a count."""
    sim.run(returns_list)


@flow
def plain_call():
    bad()
    good()


@case()
def child_raises_in_plain_call(sim: Simulation) -> None:
    """The parent fails, and later steps are never created."""
    sim.run(plain_call)


@flow
def calls_deployment():
    from prefect.deployments import run_deployment

    return run_deployment("bad/returns", poll_interval=0.5)


@case()
def parent_returns_flow_run(sim: Simulation) -> None:
    """A FlowRun is a value like any other: the parent completes although it failed."""
    sim.deploy(bad, "returns")
    sim.run(calls_deployment)
