"""A flow with retries that does not raise, and returns a state of failure."""

from prefect import flow
from prefect.states import Failed

from simulator.scenario import scenario


@flow(retries=1, retry_delay_seconds=60)
def returns_a_failure():
    return Failed(message="the source is empty")


@scenario(
    name="returned-failure",
    question="Is a flow retried that returns a failed state?",
    lesson=(
        "Prefect 3.8 announces a retry that never comes: a script's run waits for it for ever, a worker "
        "reports its process as Crashed. 3.9 retries it."
    ),
    start="2026-01-05T00:00:00Z",
    variants={"as a deployment": True, "as a script": False},
)
def returned_failure(sim, variant):
    if variant:
        sim.deploy(returns_a_failure, name="dev")
        sim.trigger("returns-a-failure/dev")
    else:
        sim.run(returns_a_failure)
    sim.advance(hours=1)
