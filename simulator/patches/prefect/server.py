"""Patches of Prefect's server: what it keeps in memory anew for each simulation, and what costs it time.

Prefect 3.8 and 3.9. Leases, automations and the order of events of an earlier simulation, or of a server
that the user has run in this process, would reach into the next one; and they are put back at the end.
A test for each stands in `tests/server/test_server.py` or `tests/patches/test_patches_server.py`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any
from uuid import UUID

import cachetools
import fastapi.dependencies.utils as fastapi_dependencies
from anyio._backends._asyncio import WorkerThread
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.gzip import GZipMiddleware
from prefect._internal.analytics import emit as prefect_analytics
from prefect._internal.analytics import milestones as prefect_milestones
from prefect._internal.concurrency import services as prefect_queues
from prefect._internal.uuid7 import uuid7
from prefect.server.api import server as prefect_api
from prefect.server.concurrency.lease_storage import memory as prefect_leases
from prefect.server.database import orm_models as prefect_orm
from prefect.server.database import query_components as prefect_queries
from prefect.server.events import triggers as prefect_triggers
from prefect.server.events.models import automations as prefect_automations
from prefect.server.events.ordering import memory as prefect_ordering
from prefect.server.events.services import event_persister as prefect_persister
from prefect.server.models import deployments as prefect_deployments
from prefect.server.models import events as prefect_event_models
from prefect.server.models import flow_runs as prefect_flow_runs
from prefect.server.services import cancellation_cleanup as prefect_cancellation
from prefect.server.services import cleanup_reconciler as prefect_reconciler
from prefect.server.utilities.messaging import MessageHandler
from prefect.server.worker_communication.cleanup_queue import memory as prefect_cleanups
from prefect.utilities.schema_tools import validation as prefect_validation
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import configure_mappers, joinedload

from simulator.patches.replacing import replacing


@contextmanager
def fresh(application: Callable[[], Any]) -> Iterator[None]:
    """Begin with an empty memory, and leave the one that was there before as it was.

    Args:
        application: Gives the application that serves the simulation.
    """
    replaced: list[tuple[Any, str, Any]] = [
        # Singletons: leases on concurrency slots; what workers are to clean up.
        (prefect_leases.ConcurrencyLeaseStorage, "_instance", None),
        (prefect_leases.ConcurrencyLeaseStorage, "_initialized", False),
        (prefect_cleanups.WorkerCleanupQueue, "_instance", None),
        (prefect_cleanups.WorkerCleanupQueue, "_initialized", False),
        (prefect_cancellation, "_service_cleanup_queue", None),
        (prefect_reconciler, "_service_cleanup_queue", None),
        # Automations that are loaded, and how far the newest event lies back. The locks belong to
        # the loop that first waited for them.
        (prefect_triggers, "automations_by_id", {}),
        (prefect_triggers, "triggers", {}),
        (prefect_triggers, "_triggers_by_expect", {}),
        (prefect_triggers, "next_proactive_runs", {}),
        (prefect_triggers, "find_interested_triggers", _oldest_first),
        (prefect_triggers, "automation_state_snapshot", None),
        (prefect_triggers, "__automations_lock", None),
        (prefect_triggers, "__events_clock_lock", None),
        (prefect_triggers, "_events_clock", None),
        (prefect_triggers, "_events_clock_updated", None),
        (prefect_ordering.CausalOrdering, "_instances", {}),
        (prefect_ordering.CausalOrdering, "_locks", {}),
        # The triggers' own loop evaluates on real time, and beside the requests whose turn it is: who
        # writes then waits a minute for a lock that nobody can release. `services` evaluates them.
        (prefect_triggers, "evaluate_periodically", _never),
        # Caches: rows of another database, such as the key that secrets are encrypted with; and
        # minutes that are real ones.
        (prefect_queries.BaseQueryComponents, "_configuration_cache", _cache(100, 3600)),
        (prefect_event_models, "_flow_run_resource_data_cache", _cache(1000, 300)),
        # The client's side: those who send events for the user's own server.
        (prefect_queues._QueueServiceBase, "_instances", {}),
        # They are drained when their loop ends, and would be once more when the process does. A
        # process that is forked from this one cannot: it would end with an AssertionError.
        (prefect_queues._QueueServiceBase, "_at_exit", staticmethod(_nothing)),
        # Three times for each flow run, a pool's and a deployment's schema is held against the schema
        # of schemas: a sixteenth of the server's time.
        (prefect_validation._VALIDATOR, "check_schema", staticmethod(_checked_once)),
        # Each action of an automation asks for the running server's application. It would be made
        # anew, and all settings be written out to look for it: a fifth of the time of a day that is
        # run by events.
        (prefect_api, "create_app", _running(application)),
        # Version 4 ids sort at random. The scheduler writes runs down in the order of the ids of their
        # deployments, and a worker takes those of one instant as they were written: who gets the last
        # slot of a pool would be a matter of chance. Ids of version 7 ascend (`patches`).
        *((column.default, "arg", _ascending_id) for column in _random_ids()),
        # A thread for each request, to look where the database is; another to see how many rows an
        # answer may have, or who asks. Nothing of that waits.
        (fastapi_dependencies, "run_in_threadpool", _at_once),
        # A new home looks like a new user, whose first flow run is reported to Prefect's makers.
        (prefect_milestones, "_is_interactive_terminal", lambda: False),
        (prefect_analytics, "emit_sdk_event", lambda *_: False),
    ]
    with replacing(replaced):
        yield


@contextmanager
def joined() -> Iterator[None]:
    """Read what belongs to a run, one row of each, with the run itself.

    Prefect lets SQLAlchemy read a run's state, its queue and the queue's pool in a statement each
    (`lazy="selectin"`), whenever it reads a run: a third of all statements of a day, and a twentieth
    of its CPU time (a day of `random-child-failure`, and a quarter of one, with and without). It reads
    a deployment several times for each run of one, its schedules in a statement of their own.
    """
    configure_mappers()
    key = (("lazy", "joined"),)
    before = [(one, one.lazy, one.strategy_key, one.strategy) for one in _RELATIONSHIPS]
    try:
        for one in _RELATIONSHIPS:
            one.lazy, one.strategy_key, one.strategy = "joined", key, one._get_strategy(key)
        replaced: list[tuple[Any, str, Any]] = [
            (prefect_flow_runs, "selectinload", _Joined),
            (prefect_deployments, "read_deployment", _read_deployment),
        ]
        with replacing(replaced):
            yield
    finally:
        for one, lazy, strategy_key, strategy in before:
            one.lazy, one.strategy_key, one.strategy = lazy, strategy_key, strategy


class _Joined:
    """`selectinload(...).selectinload(...)` as Prefect writes it where it reads runs, joined."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def selectinload(self, pool: Any) -> Any:
        return joinedload(self._queue).joinedload(pool)


async def _read_deployment(session: AsyncSession, deployment_id: UUID) -> Any:
    schedules = joinedload(prefect_orm.Deployment.schedules)
    return await session.get(prefect_orm.Deployment, deployment_id, options=[schedules])


_RELATIONSHIPS: list[Any] = [
    prefect_orm.FlowRun._state.property,
    prefect_orm.FlowRun.work_queue.property,
    prefect_orm.TaskRun._state.property,
    prefect_orm.Deployment.work_queue.property,
    prefect_orm.WorkQueue.work_pool.property,
]


@contextmanager
def persisting(
    create_handler: Callable[..., AbstractAsyncContextManager[MessageHandler]],
) -> Iterator[None]:
    """Let the event persister hand its messages to a handler of ours, made as it makes its own.

    Its own writes them in batches, in real time: a tenth of the time of a day, for rows that most
    simulations never read.
    """
    with replacing([(prefect_persister, "create_handler", create_handler)]):
        yield


@contextmanager
def loading(spawn: Callable[[Coroutine[Any, Any, None]], object]) -> Iterator[None]:
    """Let `spawn` start what loads an automation once it has been written.

    Prefect starts it beside the request, as a part of whose transaction it then reads: it takes SQLite's
    write lock, and until it has let go of it nobody else on the server's loop may write. Whoever does so
    in that moment waits a minute for a lock that nobody can release meanwhile.
    """
    with replacing([(prefect_automations, "create_task", spawn)]):
        yield


def without_wire(api: Any) -> None:
    """Take out what compresses answers, and what completes the requests of clients before Prefect
    3.6.19: it hands each body over from task to task. There are no such clients here, and no wire.

    Args:
        api: Prefect's application, before its first request.
    """
    api.user_middleware = [
        one
        for one in api.user_middleware
        if one.cls is not GZipMiddleware
        and getattr(one.kwargs.get("dispatch"), "__name__", "") != "default_content_type"
    ]


def join_workers(loop: asyncio.AbstractEventLoop) -> None:
    """Wait for the threads that served requests. AnyIO tells them to end with the loop, and they end
    at their leisure: on a busy machine after the simulation.
    """
    for thread in threading.enumerate():
        if isinstance(thread, WorkerThread) and thread.loop is loop:
            thread.join()


async def _never(*args: Any) -> None:
    """Do nothing, in place of a loop."""


def _nothing() -> None:
    """Do nothing, in place of what has been done."""


def _running(application: Callable[[], Any]) -> Callable[..., Any]:
    create = prefect_api.create_app

    def create_app(*args: Any, **options: Any) -> Any:
        return create(*args, **options) if args or options else application()

    return create_app


async def _at_once(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    if function.__module__.startswith("prefect."):
        return function(*args, **options)
    return await run_in_threadpool(function, *args, **options)


_check_schema = prefect_validation._VALIDATOR.check_schema


def _random_ids() -> list[Any]:
    """The columns of Prefect's tables that hold ids, each with a random one by default."""
    tables = prefect_orm.Base.metadata.tables.values()
    columns = [table.c["id"] for table in tables if "id" in table.c]
    return [column for column in columns if column.default is not None]


def _ascending_id(context: Any) -> UUID:
    return uuid7()


def _checked_once(schema: Any, **options: Any) -> None:
    if (key := repr(schema)) not in _sound:
        _check_schema(schema, **options)
        _sound.add(key)


_sound: set[str] = set()


_find_interested = prefect_triggers.find_interested_triggers


def _oldest_first(event: Any) -> list[Any]:
    """The triggers that an event concerns, of the automation that was made first first, in its order.
    Prefect has them in that of a set of random ids: which of two runs that one event starts came first,
    and got a slot, was another in each process.
    """

    def made(trigger: Any) -> tuple[Any, str, int]:
        whole = trigger.automation
        own = [one.id for one in whole.triggers_of_type(type(trigger))]
        return whole.created, str(whole.id), own.index(trigger.id)

    return sorted(_find_interested(event), key=made)


def _cache(size: int, seconds: float) -> cachetools.TTLCache[Any, Any]:
    return cachetools.TTLCache(maxsize=size, ttl=seconds, timer=lambda: time.monotonic())  # noqa: PLW0108  looked up anew
