"""What a parent returns."""

from __future__ import annotations

from prefect import flow, task
from prefect.deployments import run_deployment
from prefect.states import Completed, Failed

from simulator import Simulation
from tests.conformance.case import case
from tests.conformance.shapes import bad, good


@task
def task_bad() -> None:
    raise ValueError("bad task")


@task
def task_good() -> str:
    return "good"


@flow
def returns_nothing() -> None:
    bad(return_state=True)
    good()


@case()
def parent_returns_nothing(sim: Simulation) -> None:
    """A failed child goes unnoticed: a masked failure."""
    assert sim.run(returns_nothing).completed


@flow
def returns_state():
    return bad(return_state=True)


@case()
def parent_returns_state(sim: Simulation) -> None:
    """The parent ends as the state that it returns."""
    assert sim.run(returns_state).failed


@flow
def returns_list():
    return [good(return_state=True), bad(return_state=True), bad(return_state=True)]


@case()
def parent_returns_list_of_states(sim: Simulation) -> None:
    """One failed state among several fails the parent, with a count."""
    assert sim.run(returns_list).failed


@flow
def returns_dict():
    return {"good": good(return_state=True), "bad": bad(return_state=True)}


@case()
def parent_returns_dict_of_states(sim: Simulation) -> None:
    """States as the values of a dict."""
    sim.run(returns_dict)


@flow
def returns_mixture():
    return [bad(return_state=True), "and a value"]


@case()
def parent_returns_state_among_values(sim: Simulation) -> None:
    """A list that holds a failed state and something else."""
    sim.run(returns_mixture)


@flow
def plain_call():
    bad()
    good()


@case()
def child_raises_in_plain_call(sim: Simulation) -> None:
    """The parent fails, and later steps are never created."""
    assert sim.run(plain_call).failed


@flow
def catches():
    try:
        bad()
    except ValueError:
        good()


@case()
def parent_catches_what_child_raises(sim: Simulation) -> None:
    """Caught is forgotten."""
    assert sim.run(catches).completed


@flow
def returns_flow_run():
    return run_deployment("bad/returned", poll_interval=0.5)


@case()
def parent_returns_flow_run(sim: Simulation) -> None:
    """A FlowRun is a value like any other, however the run has ended."""
    sim.deploy(bad, "returned")
    assert sim.run(returns_flow_run).completed


@flow
def returns_flow_run_state():
    return run_deployment("bad/returned-state", poll_interval=0.5).state


@case()
def parent_returns_state_of_flow_run(sim: Simulation) -> None:
    """Its state is not."""
    sim.deploy(bad, "returned-state")
    assert sim.run(returns_flow_run_state).failed


@flow
def returns_future():
    task_good.submit()
    return task_bad.submit()


@case()
def parent_returns_future(sim: Simulation) -> None:
    """A future stands for the state of its task."""
    assert sim.run(returns_future).failed


@flow
def returns_futures():
    return [task_good.submit(), task_bad.submit()]


@case()
def parent_returns_list_of_futures(sim: Simulation) -> None:
    """Futures stand for the states of their tasks, and are waited for."""
    assert sim.run(returns_futures).failed


@flow
def returns_exception():
    return ValueError("returned, not raised")


@case()
def parent_returns_exception(sim: Simulation) -> None:
    """An exception that is returned is a value."""
    sim.run(returns_exception)


@flow
def returns_named_state():
    bad(return_state=True)
    return Completed(name="Skipped", message="nothing to do")


@case()
def parent_returns_state_of_its_own(sim: Simulation) -> None:
    """A state with a name and a message of one's own."""
    assert sim.run(returns_named_state).state == "Skipped"


@flow
def returns_failed():
    return Failed(message="says the parent")


@case()
def parent_returns_failed_state_of_its_own(sim: Simulation) -> None:
    """A failure without an exception, and a child that is told so by its parent."""
    sim.run(returns_failed)


@flow
def returns_result():
    return bad(return_state=True).result(raise_on_failure=False)


@case()
def parent_returns_result_of_failed_child(sim: Simulation) -> None:
    """The result of a failed state, taken without raising, is the exception."""
    sim.run(returns_result)


@flow
def takes_number(number: int) -> int:
    return number


@flow
def passes_nonsense():
    takes_number("seven")


@case()
def child_refuses_its_parameters(sim: Simulation) -> None:
    """Parameters that do not fit: is there a run of the child?"""
    assert sim.run(passes_nonsense).failed


@flow
async def async_returns_state():
    return await async_bad(return_state=True)


@flow
async def async_bad():
    raise ValueError("async bad")


@case()
def async_parent_returns_state(sim: Simulation) -> None:
    """The same in async flows."""
    assert sim.run(async_returns_state).failed
