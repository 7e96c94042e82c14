"""The patches of Prefect's client and engine, each with its reason. Made by `installed`, undone when
it ends.

Prefect 3.8 and 3.9. `tests/patches/test_patches.py` holds a test for each that fails when Prefect no
longer needs it.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import ssl
import sys
import types
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import anyio
import httpx
import prefect.deployments.flow_runs as prefect_flow_runs
import prefect.flow_engine as prefect_flow_engine
from prefect._internal import uuid7 as prefect_uuid7
from prefect._internal.concurrency import threads as prefect_threads
from prefect.client import base as prefect_client
from prefect.client import orchestration as prefect_orchestration
from prefect.events import Event
from prefect.events.clients import EventsClient, PrefectEventsClient, PrefectEventSubscriber
from prefect.events.filters import EventFilter, EventOccurredFilter
from prefect.task_runners import ProcessPoolTaskRunner
from prefect.types import _datetime as prefect_datetime

from simulator.clock import VirtualClock
from simulator.errors import UnsupportedOperation
from simulator.patches.prefect import heartbeats, of_series, steps
from simulator.patches.prefect.results import reading_settled
from simulator.patches.replacing import replacing


@contextmanager
def installed(
    clock: VirtualClock,
    transport: Callable[[], httpx.BaseTransport],
    async_transport: Callable[[], httpx.AsyncBaseTransport],
    publish: Callable[[Event], Awaitable[None]],
    subscribe: Callable[
        [EventFilter, Callable[[Event], object]], Awaitable[Callable[[], Awaitable[None]]]
    ],
    async_poll: Callable[[str, float], Any],
    around_flow: steps.Surround,
    around_task: steps.Surround,
    observe_suspension: Callable[..., AbstractContextManager[None]],
) -> Iterator[None]:
    """Patch Prefect's client side for one simulation.

    `publish(event)` hands an event to the server in this process, and
    `subscribe(filter, deliver)` has events delivered until the function that it returns is called;
    `async_poll(flow_run_id, interval)` sleeps in the stead of `arun_deployment`;
    `around_flow(call)` and `around_task(call)` surround a step's own code;
    `observe_suspension(flow_run_id, request)` watches a flow run while it runs.
    """
    flow_runs: Any = prefect_flow_runs
    replaced: list[tuple[Any, str, Any]] = [
        reading_settled(clock),
        # A server in this process is called in this process: no gap between "sent" and "seen".
        (prefect_client.PrefectHttpxSyncClient, "_init_transport", _transport_of(transport)),
        (prefect_client.PrefectHttpxAsyncClient, "_init_transport", _transport_of(async_transport)),
        # Events leave through a websocket, where nobody counts them. (`emit_event` knows the classes
        # of the clients that emit, so it must be this one.)
        (PrefectEventsClient, "__init__", _no_websocket),
        (PrefectEventsClient, "__aenter__", EventsClient.__aenter__),
        (PrefectEventsClient, "__aexit__", EventsClient.__aexit__),
        (PrefectEventsClient, "_emit", _publishing(publish)),
        # They arrive through one as well: whoever waits for the end of a run waits for its event.
        (PrefectEventSubscriber, "__init__", _keep_filter),
        (PrefectEventSubscriber, "__aenter__", _subscribing(subscribe)),
        (PrefectEventSubscriber, "__aexit__", _unsubscribe),
        (PrefectEventSubscriber, "__anext__", _next_event),
        # Every client makes an SSL context of its own, 18 ms, for a server in this process.
        (prefect_orchestration, "ssl", _Ssl()),
        # Version 7 UUIDs made in the same millisecond sort at random, and queries sort by them.
        (prefect_uuid7, "os", types.SimpleNamespace(urandom=_ascending())),
        # `arun_deployment` polls with `anyio.sleep`.
        (flow_runs, "anyio", _Anyio(async_poll)),
        # A thread with a websocket and a loop that wakes five times a second, for each flow run.
        (prefect_flow_engine, "observe_flow_run_suspension", observe_suspension),
        heartbeats.ending_with_the_run(),
        # Its processes would have clocks of their own; its callbacks lose the error that says so.
        (ProcessPoolTaskRunner, "submit", _refuse_process_pool),
        # Background threads of an earlier life of this process are not on this clock.
        (prefect_threads, "_global_loop", None),
        (prefect_threads, "_run_sync_loop", None),
        *of_series(),
    ]
    with replacing(replaced), steps.installed(around_flow, around_task):
        yield


def _transport_of(make: Callable[[], Any]) -> Callable[..., Any]:
    def _init_transport(self: Any, *args: Any, transport: Any = None, **kwargs: Any) -> Any:
        return make() if transport is None else transport

    return _init_transport


def _no_websocket(self: PrefectEventsClient, *args: Any, **kwargs: Any) -> None:
    """In place of `PrefectEventsClient.__init__`, which prepares a websocket."""


def _publishing(publish: Callable[[Event], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def _emit(self: PrefectEventsClient, event: Event) -> None:
        await publish(event)

    return _emit


def _keep_filter(
    self: Any,
    api_url: str | None = None,
    filter: EventFilter | None = None,  # noqa: A002  Prefect's name
    *_: Any,
    **__: Any,
) -> None:
    """In place of `PrefectEventSubscriber.__init__`, which prepares a websocket."""
    self._filter = filter or EventFilter.model_validate({})


def _subscribing(subscribe: Callable[..., Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    async def enter(self: Any) -> Any:
        loop = asyncio.get_running_loop()
        self._events = asyncio.Queue()
        now = prefect_now()
        self._filter.occurred = EventOccurredFilter(  # as Prefect does when it has connected
            since=now - timedelta(minutes=1), until=now + timedelta(days=365)
        )

        def deliver(event: Event) -> None:
            try:
                loop.call_soon_threadsafe(self._events.put_nowait, event)
            except RuntimeError:
                pass  # that loop is closed: nobody waits any longer

        self._end = await subscribe(self._filter, deliver)
        return self

    return enter


async def _unsubscribe(self: Any, *_: Any) -> None:
    await self._end()


async def _next_event(self: Any) -> Event:
    event: Event = await self._events.get()
    return event


def _refuse_process_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedOperation(
        "ProcessPoolTaskRunner would leave the simulation's process, where no virtual clock reaches"
        " it: use ThreadPoolTaskRunner instead"
    )


def prefect_now() -> Any:
    """The time, of the class that Prefect's server computes with: pendulum's up to Python 3.12."""
    return prefect_datetime.now("UTC")


def _ascending() -> Callable[[int], bytes]:
    # 12 bits that are constant for the simulation, then a counter behind 30 random bits: unique
    # across simulations (Prefect caches by id), ascending within one.
    prefix = os.urandom(2)
    counter = itertools.count((int.from_bytes(os.urandom(4), "big") & 0x1FFFFFFF) << 32)

    def urandom(size: int) -> bytes:
        return prefix if size == 2 else next(counter).to_bytes(size, "big")

    return urandom


class _Ssl:
    """`ssl` for Prefect's clients, with one context for all of them."""

    create_default_context = staticmethod(functools.lru_cache(ssl.create_default_context))

    def __getattr__(self, name: str) -> Any:
        return getattr(ssl, name)


class _Anyio:
    """`anyio` as `prefect.deployments.flow_runs` uses it, with a `sleep` that knows its purpose."""

    def __init__(self, poll: Callable[[str, float], Any]) -> None:
        self._poll = poll

    def __getattr__(self, name: str) -> Any:
        return getattr(anyio, name)

    async def sleep(self, seconds: float) -> None:
        caller = sys._getframe(1)
        flow_run_id = caller.f_locals.get("flow_run_id")
        if flow_run_id is None:
            await anyio.sleep(seconds)
        else:
            await self._poll(str(flow_run_id), seconds)


def polled_by(frame: FrameType) -> tuple[str, float | None] | None:
    """If `frame` is `run_deployment` between two polls: the flow run it waits for, its deadline.

    The deadline is in seconds of `time.monotonic()`; None without a time-out.
    """
    if frame.f_code is not _RUN_DEPLOYMENT:
        return None
    local = frame.f_locals
    timeout = local["timeout"]
    return str(local["flow_run_id"]), None if timeout is None else local["start_time"] + timeout


def _code_of(function: Any) -> Any:
    while not hasattr(function, "__code__") or hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function.__code__


_RUN_DEPLOYMENT = _code_of(prefect_flow_runs.run_deployment)


def start_background_loops() -> None:
    """Start the loops on which Prefect runs its services and its async code for sync callers."""
    prefect_threads.get_global_loop()
    prefect_threads.get_run_sync_loop()


def stop_background_loops() -> None:
    """Ask those loops to finish what they have and to end."""
    prefect_threads.get_global_loop().shutdown()
    prefect_threads.get_run_sync_loop().shutdown()


def without_websocket(channel: Any) -> None:
    """Let a worker's channel to the server keep to its fallback, requests."""
    if channel is not None:
        channel.state.mark_terminal("endpoint_unavailable")
        channel._websocket_started = True
