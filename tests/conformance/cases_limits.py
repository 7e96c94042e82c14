"""Limits: by tag, global, of a pool, a queue and a deployment."""

from __future__ import annotations

import time

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.concurrency.sync import concurrency

from simulator import Simulation
from tests.conformance.case import case, ended, until
from tests.conformance.shapes import good, sleeps


@task(tags=["conformance-one-at-a-time"])
def tagged(seconds: float) -> None:
    time.sleep(seconds)


@flow
def submits_tagged():
    for future in [tagged.submit(5) for _ in range(2)]:
        future.result()


@case(concurrent=True)
def tag_limit(sim: Simulation) -> None:
    """One at a time: the second one asks again every two seconds."""
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("conformance-one-at-a-time", 1)
    sim.run(submits_tagged)


@task(tags=["conformance-none"])
def never_lets_go() -> None:
    pass


@flow
def calls_blocked_tag():
    never_lets_go()


@case()
def tag_limit_of_zero(sim: Simulation) -> None:
    """A limit of zero aborts the task."""
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("conformance-none", 0)
    sim.run(calls_blocked_tag)


@task
def guarded(seconds: float) -> None:
    with concurrency("conformance-global", occupy=1):
        time.sleep(seconds)


@flow
def submits_guarded():
    for future in [guarded.submit(6) for _ in range(3)]:
        future.result()


@case(concurrent=True)
def global_limit(sim: Simulation) -> None:
    """A slot around the critical section: the tasks all run, and wait inside."""
    _limit("conformance-global", 2)
    sim.run(submits_guarded)


@task
def impatient() -> None:
    with concurrency("conformance-taken", timeout_seconds=2):
        pass


@flow
def gives_up():
    with concurrency("conformance-taken"):
        impatient()


@case()
def global_limit_with_timeout(sim: Simulation) -> None:
    """A slot that does not come in time fails the task."""
    _limit("conformance-taken", 1)
    sim.run(gives_up)


@flow
def is_strict():
    with concurrency("conformance-no-such-limit", strict=True):
        pass


@case()
def global_limit_that_is_not_there(sim: Simulation) -> None:
    """With `strict` a limit has to exist."""
    sim.run(is_strict)


@flow
def is_lax():
    with concurrency("conformance-no-such-limit"):
        pass


@case()
def global_limit_that_is_not_missed(sim: Simulation) -> None:
    """Without `strict` it does not."""
    sim.run(is_lax)


def _limit(name: str, slots: int) -> None:
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots))


@case()
def pool_limit(sim: Simulation) -> None:
    """A pool with one slot: the second run waits until it is free."""
    sim.work_pool("conformance-narrow", concurrency_limit=1)
    sim.deploy(sleeps, "narrow", work_pool="conformance-narrow")
    sim.trigger("sleeps/narrow", {"seconds": 3})
    sim.trigger("sleeps/narrow", {"seconds": 2})
    until(sim, ended(sim, "sleeps", 2))


@case()
def queue_limit(sim: Simulation) -> None:
    """A queue with one slot holds back its own runs, and not the default queue's."""
    sim.work_queue("single", concurrency_limit=1)
    sim.deploy(sleeps, "queued", work_queue_name="single")
    sim.trigger("sleeps/queued", {"seconds": 3})
    sim.trigger("sleeps/queued", {"seconds": 2})
    until(sim, ended(sim, "sleeps", 2))


@case()
def deployment_limit_that_queues(sim: Simulation) -> None:
    """ENQUEUE: a second run awaits its slot, and asks again some time later."""
    sim.deploy(sleeps, "enqueues", concurrency_limit=1)
    sim.trigger("sleeps/enqueues", {"seconds": 8})
    until(sim, lambda: bool(sim.runs("sleeps", state="Running")))
    sim.trigger("sleeps/enqueues", {"seconds": 1})
    until(sim, ended(sim, "sleeps", 2))


@case()
def deployment_limit_that_cancels(sim: Simulation) -> None:
    """CANCEL_NEW: a second run is cancelled."""
    sim.deploy(
        sleeps,
        "cancels-new",
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
    )
    sim.trigger("sleeps/cancels-new", {"seconds": 15})
    until(sim, lambda: bool(sim.runs("sleeps", state="Running")))
    sim.trigger("sleeps/cancels-new", {"seconds": 1})
    until(sim, ended(sim, "sleeps", 2))


@case()
def queue_priority(sim: Simulation) -> None:
    """Of two queues of a full pool the one that goes first is served first."""
    pool = "conformance-priorities"
    sim.work_pool(pool, concurrency_limit=1)
    sim.work_queue("later", pool, priority=20)
    sim.work_queue("sooner", pool, priority=10)
    sim.deploy(sleeps, "occupies", work_pool=pool, work_queue_name="sooner")
    sim.deploy(good, "slow-lane", work_pool=pool, work_queue_name="later")
    sim.deploy(good, "fast-lane", work_pool=pool, work_queue_name="sooner")
    sim.trigger("sleeps/occupies", {"seconds": 6})
    until(sim, lambda: bool(sim.runs("sleeps", state="Running")))
    sim.trigger("good/slow-lane")
    sim.trigger("good/fast-lane")
    until(sim, ended(sim, "good", 2))
