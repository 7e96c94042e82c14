"""Caching of success and of failure, and its expiry."""

from __future__ import annotations

import time
from datetime import timedelta

from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.deployments import run_deployment

from simulator import Simulation
from tests.conformance.case import case
from tests.conformance.shapes import bad


def same_key(context, parameters):
    return f"conformance-{context.task.name}"


@task(cache_key_fn=same_key, persist_result=True)
def cached() -> int:
    return 1


@flow
def calls_twice():
    cached()
    cached()


@case()
def success_is_cached(sim: Simulation) -> None:
    """The second call is Cached, and does not run."""
    sim.run(calls_twice)


@task(cache_policy=INPUTS, persist_result=True)
def cached_by_input(number: int) -> int:
    return number


@flow
def calls_with_inputs():
    for number in (1, 2, 1):
        cached_by_input(number)


@case()
def cached_by_inputs(sim: Simulation) -> None:
    """Only the same inputs are served from the cache."""
    sim.run(calls_with_inputs)


@task(cache_key_fn=same_key, persist_result=True, cache_expiration=timedelta(seconds=4))
def expires() -> int:
    return 1


@flow
def calls_until_expiry():
    expires()
    time.sleep(1)
    expires()
    time.sleep(6)
    expires()


@case()
def cache_expires(sim: Simulation) -> None:
    """Served after one second, run anew after seven: the key lives for four."""
    sim.run(calls_until_expiry)


@task(cache_key_fn=same_key, persist_result=True)
def cached_across_runs() -> int:
    return 1


@flow
def calls_once():
    cached_across_runs()


@case()
def cached_across_flow_runs(sim: Simulation) -> None:
    """A second run of the parent is served what the first one has stored."""
    sim.run(calls_once)
    sim.run(calls_once)


@task(cache_key_fn=same_key, persist_result=True)
def cached_deployment():
    return run_deployment("bad/cached", poll_interval=0.5)


@flow
def caches_failure():
    cached_deployment()
    cached_deployment()


@case()
def failure_is_cached_as_flow_run(sim: Simulation) -> None:
    """The FlowRun of a failed child is a good result, and is served from the cache."""
    sim.deploy(bad, "cached")
    run = sim.run(caches_failure)
    assert run.completed
    assert len(run.children) == 1


@task(cache_key_fn=same_key, persist_result=True)
def cached_raiser() -> None:
    pass


@flow
def calls_raiser():
    cached_raiser(return_state=True)
    cached_raiser(return_state=True)
    cached_raiser()


@case()
def failure_that_is_raised_is_not_cached(sim: Simulation) -> None:
    """The first call fails, the second one runs, the third one is served."""
    sim.fail("cached_raiser", on=[0])
    assert sim.run(calls_raiser).completed


@task(cache_key_fn=same_key, persist_result=True, refresh_cache=True)
def refreshed() -> int:
    return 1


@flow
def calls_refreshed():
    refreshed()
    refreshed()


@case()
def cache_is_refreshed(sim: Simulation) -> None:
    """`refresh_cache` runs every time."""
    sim.run(calls_refreshed)


@task(cache_key_fn=same_key)
def not_persisted() -> int:
    return 1


@flow
def calls_not_persisted():
    not_persisted()
    not_persisted()


@case()
def cache_key_without_persistence(sim: Simulation) -> None:
    """A cache key alone: is the result kept?"""
    sim.run(calls_not_persisted)
