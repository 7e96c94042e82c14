"""A Prefect worker whose infrastructure is a thread of this process.

Polling, prefetch, `Pending`, `Submitting`, limits and crash reports are Prefect's own code. Only two
things differ: a flow run's process is a thread, and polls that cannot find anything are left out.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.abc
import prefect
from prefect.client.schemas.objects import FlowRun
from prefect.engine import handle_engine_signals
from prefect.flow_engine import run_flow
from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult

from simulator import patches
from simulator.clock import VirtualClock, to_micros
from simulator.runnable import start_counted

POLL_SECONDS = 10  # PREFECT_WORKER_QUERY_SECONDS

_process_ids = itertools.count(1)


class SimulatedProcess:
    """One flow run's process, as a thread: it starts, runs the flow, and has an exit code.

    `ended` is called from that thread at its end.
    """

    def __init__(
        self, flow: prefect.Flow[..., Any], flow_run: FlowRun, ended: Callable[[], object]
    ) -> None:
        self.status_code = 0
        self._flow = flow
        self._flow_run = flow_run
        self._ended = ended
        self.thread = threading.Thread(
            target=self._run, name=f"{flow.name}/{flow_run.name}", daemon=True
        )
        patches.mark_main(self.thread)

    def _run(self) -> None:
        try:
            with handle_engine_signals(self._flow_run.id):
                outcome = run_flow(self._flow, flow_run=self._flow_run)
                if asyncio.iscoroutine(outcome):
                    asyncio.run(outcome)
        except SystemExit as end:
            self.status_code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            self.status_code = 1
        finally:
            self._ended()


class SimulatedJobConfiguration(BaseJobConfiguration):
    """A job without the settings of its parent as environment variables: it shares its process."""

    @classmethod
    def _base_environment(cls) -> dict[str, str]:
        return {}


class SimulatedWorkerResult(BaseWorkerResult):
    """The exit code of a simulated process."""


class SimulatedWorker(BaseWorker[BaseJobConfiguration, Any, BaseWorkerResult]):
    """Prefect's worker; `infrastructure` makes and starts the thread that stands for a process."""

    type = "simulated"
    job_configuration = SimulatedJobConfiguration

    def __init__(
        self,
        work_pool_name: str,
        infrastructure: Callable[[FlowRun, Callable[[], object]], SimulatedProcess],
        **kwargs: Any,
    ) -> None:
        super().__init__(work_pool_name, **kwargs)
        self._infrastructure = infrastructure

    def _ensure_worker_channel(self) -> None:
        # A websocket whose keep-alives fill the timeline and fail when hours pass at once.
        super()._ensure_worker_channel()
        if self._worker_channel is not None:
            self._worker_channel.state.mark_terminal("endpoint_unavailable")
            self._worker_channel._websocket_started = True

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        process = self._infrastructure(
            flow_run, lambda: loop.call_soon_threadsafe(ended.set)
        )
        if task_status is not None:
            task_status.started(next(_process_ids))
        await ended.wait()
        return SimulatedWorkerResult(
            identifier=process.thread.name, status_code=process.status_code
        )


class Pool:
    """A work pool with one worker that polls it. A source of the clock's events.

    The worker polls every ten seconds from when it was started. A poll that cannot find a run is
    left out: none is due within the prefetch window, or nothing has changed since the last one
    found nothing.
    """

    def __init__(
        self,
        name: str,
        clock: VirtualClock,
        database: sqlite3.Connection,
        changes: Callable[[], int],
        context: contextvars.Context,
        flow_of: Callable[[FlowRun], prefect.Flow[..., Any]],
    ) -> None:
        self.name = name
        self._clock = clock
        self._database = database
        self._changes = changes
        self._context = context
        self._flow_of = flow_of
        self._grid: datetime | None = None
        self._last = 0
        self._idle_since: int | None = None
        self._asked: tuple[int, int | None] = (-1, None)
        self._found = False
        self._worker: SimulatedWorker
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread: threading.Thread | None = None

    # -- life ------------------------------------------------------------------------------------

    @property
    def working(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Start the worker: its first poll is now."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name=f"worker of {self.name!r}"
        )
        start_counted(self._thread, self._clock, self._context, background=True)
        ready.result()
        self._grid = self._clock.now.replace(microsecond=0)
        self._last = to_micros(self._grid) - 1
        self._asked = (-1, None)
        self._found = True

    def stop(self) -> None:
        """Stop polling. Runs that were taken already go on."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    async def _main(self, ready: Future[None]) -> None:
        try:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            self._worker = SimulatedWorker(
                self.name, self._start_process, name=f"worker-{self.name}"
            )
            async with self._worker:
                ready.set_result(None)
                await self._stop.wait()
                assert self._worker._runs_task_group is not None
                self._worker._runs_task_group.cancel_scope.cancel()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                raise

    def _start_process(self, flow_run: FlowRun, ended: Callable[[], object]) -> SimulatedProcess:
        process = SimulatedProcess(self._flow_of(flow_run), flow_run, ended)
        # An event of its own, so that runs taken in one poll start one after the other, in order.
        self._clock.call_later(
            0, lambda: start_counted(process.thread, self._clock, self._context)
        )
        return process

    # -- polling -----------------------------------------------------------------------------------

    def next_instant(self) -> int | None:
        if self._thread is None:
            return None
        changes = self._changes()
        if not self._found and self._idle_since is None:
            self._idle_since = changes
        if self._asked[0] != changes:
            self._asked = (changes, self._next_poll(changes))
        return self._asked[1]

    def _next_poll(self, changes: int) -> int | None:
        after: datetime | None = None
        if not self._found and self._idle_since == changes:
            # Nothing has changed since a poll that found nothing: only a later run can be found.
            after = datetime.fromtimestamp(self._last / 1e6, UTC) + _PREFETCH
        due = self._database.execute(_EARLIEST, {"pool": self.name, "after": _sql(after)}).fetchone()
        if due[0] is None or self._grid is None:
            return None
        earliest = max(to_micros(_instant(due[0]) - _PREFETCH), self._last + 1)
        origin = to_micros(self._grid)
        step = POLL_SECONDS * 1_000_000
        return origin + max(0, -(-(earliest - origin) // step)) * step

    def fire(self) -> None:
        self._last = to_micros(self._clock.now)
        self._idle_since = None
        poll = asyncio.run_coroutine_threadsafe(
            self._worker.get_and_submit_flow_runs(), self._loop
        )
        self._clock.settle()
        self._found = bool(poll.result()) if poll.done() else True
        self._asked = (-1, None)


_PREFETCH = timedelta(seconds=10)  # PREFECT_WORKER_PREFETCH_SECONDS

_EARLIEST = """
select min(flow_run.next_scheduled_start_time)
from flow_run
join work_queue on work_queue.id = flow_run.work_queue_id
join work_pool on work_pool.id = work_queue.work_pool_id
where work_pool.name = :pool
  and flow_run.state_type = 'SCHEDULED'
  and (:after is null or flow_run.next_scheduled_start_time > :after)
"""


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _sql(instant: datetime | None) -> str | None:
    """As Prefect writes an instant in SQLite."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
