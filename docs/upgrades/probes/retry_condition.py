"""A task whose retries are decided by an object, as a class with settings of its own."""

from prefect import flow, task

from simulator.scenario import scenario


class OnlyOn:
    def __init__(self, *errors):
        self.errors = errors

    def __call__(self, task, run, state):
        try:
            state.result()
        except self.errors:
            return True
        return False


@task(retries=2, retry_condition_fn=OnlyOn(ConnectionError))
def download():
    raise ConnectionError("the host is away")


@flow
def ingest():
    download(return_state=True)
    return "went on"


@scenario(
    name="retry-condition",
    question="Is a `retry_condition_fn` asked that is an object and no function?",
    lesson="Not on Prefect 3.8, where the task is tried once. 3.9 asks it, and tries three times.",
    start="2026-01-05T00:00:00Z",
)
def retry_condition(sim):
    sim.run(ingest)
