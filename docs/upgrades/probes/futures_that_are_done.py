"""A flow that asks futures which are all done for their results, and gives them no time."""

from prefect import flow, task
from prefect.futures import PrefectFutureList

from simulator.scenario import scenario


@task
def extract():
    return 1


@flow
def collects():
    futures = PrefectFutureList([extract.submit(), extract.submit()])
    futures.wait()
    return sum(futures.result(timeout=0))


@scenario(
    name="futures-that-are-done",
    question="Does `result(timeout=0)` of a list of futures give what is there already?",
    lesson=(
        "On Prefect 3.8 it raises TimeoutError, and the flow is TimedOut. On 3.9 it gives the results."
    ),
    start="2026-01-05T00:00:00Z",
)
def futures_that_are_done(sim):
    sim.run(collects)
