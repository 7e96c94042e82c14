"""A task with a cache key that does not raise, and returns a state of failure."""

from prefect import flow, task
from prefect.states import Failed

from simulator.scenario import scenario


@task(cache_key_fn=lambda *_: "prices", persist_result=True)
def load_prices():
    return Failed(message="no prices today")


@flow
def twice():
    load_prices(return_state=True)
    load_prices(return_state=True)


@scenario(
    name="cached-failure",
    question="Is a failure that a task returns served from the cache?",
    lesson="On Prefect 3.8 it is, as a success: the second call is Cached. 3.9 keeps no failures.",
    start="2026-01-05T00:00:00Z",
)
def cached_failure(sim):
    sim.run(twice)
