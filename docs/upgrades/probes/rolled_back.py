"""A transaction in which a task does not raise, and returns a state of failure."""

from prefect import flow, task
from prefect.states import Failed
from prefect.transactions import transaction

from simulator.scenario import scenario


@task
def undo():
    """What a rollback leaves in the history."""


@task
def write():
    """What is to be undone."""


@write.on_rollback
def undo_it(_):
    undo()


@task
def check():
    return Failed(message="the numbers do not add up")


@flow
def publishes():
    with transaction():
        write()
        check(return_state=True)


@scenario(
    name="rolled-back",
    question="Is a transaction rolled back if one of its tasks returns a failed state?",
    lesson="Not on Prefect 3.8, where only an exception does it. On 3.9 its hooks run.",
    start="2026-01-05T00:00:00Z",
)
def rolled_back(sim):
    sim.run(publishes)
