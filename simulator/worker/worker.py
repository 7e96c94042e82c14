"""A Prefect worker whose infrastructure is a thread of this process.

Polling, prefetch, `Pending`, `Submitting`, limits, cancellation and crash reports are Prefect's own
code. Only two things differ: a flow run's process is a thread, and polls that cannot find anything
are left out.
"""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.abc
import httpx
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger
from prefect.settings import get_current_settings
from prefect.utilities.services import critical_service_loop
from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult
from pydantic import Field

from simulator.clock import Candidate, GridLoop, VirtualClock, start_counted
from simulator.history import Journal, Note
from simulator.instants import from_micros, to_micros
from simulator.patches.prefect.client import without_websocket
from simulator.process import Process
from simulator.server import Cancellations
from simulator.worker.starting import Starter
from simulator.worker.supervision import Supervisor


class SimulatedJobConfiguration(BaseJobConfiguration):
    """A job without the settings of its parent as environment variables: it has them from its context.

    `working_dir` as for a process worker; but without one, the process begins where the test is.
    """

    working_dir: Path | None = None

    image: str | None = Field(
        default=None, description="What a container would be made of. A simulated process is not."
    )

    @classmethod
    def _base_environment(cls) -> dict[str, str]:
        return {}


class SimulatedWorkerResult(BaseWorkerResult):
    """The exit code of a simulated process."""


class SimulatedWorker(BaseWorker[SimulatedJobConfiguration, Any, BaseWorkerResult]):
    """Prefect's worker; `starter` makes and starts the thread that stands for a process."""

    type = "simulated"
    job_configuration = SimulatedJobConfiguration

    def __init__(
        self,
        work_pool_name: str,
        starter: Starter,
        cancellations: Cancellations,
        **kwargs: Any,
    ) -> None:
        super().__init__(work_pool_name, **kwargs)
        self._starter = starter
        self._cancellations = cancellations
        self.supervisor: Supervisor | None = None

    async def setup(self) -> None:
        await super().setup()
        self.supervisor = await self._exit_stack.enter_async_context(
            Supervisor(self.client, self._starter.start, self._starter.flows, self._cancellations)
        )

    def _ensure_worker_channel(self) -> None:
        # A websocket whose keep-alives fill the timeline and fail when hours pass at once.
        super()._ensure_worker_channel()
        without_websocket(self._worker_channel)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: SimulatedJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        assert self.supervisor is not None
        start = partial(
            self._starter.start,
            variables=configuration.env,
            folder=configuration.working_dir,
            work_pool=self._work_pool_name,
            worker=self.name,
        )
        process, exit_code = await self.supervisor.execute(
            flow_run, start, task_status or anyio.TASK_STATUS_IGNORED
        )
        return SimulatedWorkerResult(identifier=str(process.pid), status_code=exit_code)

    def abandon(self) -> None:
        """Let go of everything that is going on: the simulation ends."""
        if self._runs_task_group is not None:
            self._runs_task_group.cancel_scope.cancel()


class PoolWorker:
    """A worker that polls a work pool, one of several perhaps. A source of the clock's events.

    It runs `limit` runs at a time; None: as many as it finds. Of several, the one that polls first takes
    a run; at the same instant, the one that was made first.

    The worker polls every ten seconds from when it was started. A poll that cannot find a run is
    left out: none is due within the prefetch window that its queue, its pool and itself have a slot
    for, or nothing has been written since the last poll. One that fails is repeated by Prefect's own
    loop, which waits longer and longer, until it succeeds or the worker gives up and is gone.
    """

    def __init__(
        self,
        pool: str,
        name: str,
        limit: int | None,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
        context: contextvars.Context,
        starter: Starter,
        cancellations: Cancellations,
        journal: Journal,
    ) -> None:
        settings = get_current_settings().worker
        self.pool = pool
        self.name = name
        self._limit = limit
        self._clock = clock
        self._database = database
        self._context = context
        self._starter = starter
        self._cancellations = cancellations
        self._journal = journal
        self._away: dict[
            int | None, Note
        ] = {}  # by what keeps it away; None: somebody has stopped it
        self._prefetch = timedelta(seconds=int(settings.prefetch_seconds))
        self._polled: tuple[int, int] = (-1, 0)
        self._polling: Future[Exception | None] | None = None
        self._interval = settings.query_seconds
        self._ended = 0  # polls that ended later than they began, after trouble with the API
        self._written: Callable[[], int] = lambda: (
            (written() + self._ended) * ((limit or 0) + 1) + self._running()
        )
        self._polls = GridLoop(
            f"polls of {name!r} of {pool!r}",
            timedelta(seconds=self._interval),
            clock,
            self._written,
            self._candidates,
            self._poll,
        )
        self._worker: SimulatedWorker | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread: threading.Thread | None = None

    # -- life ------------------------------------------------------------------------------------

    @property
    def working(self) -> bool:
        return self._polls.running

    def start(self) -> None:
        """Start to poll, whatever has kept it away: the first poll is now."""
        for number in list(self._away):
            self._let_go(number)
        if self._thread is None:
            ready: Future[None] = Future()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._main(ready), debug=False),
                name=f"worker {self.name!r} of {self.pool!r}",
            )
            start_counted(self._thread, self._clock, self._context, background=True)
            ready.result()
        self._polls.begin()

    def stop(self, because: Note | None = None) -> None:
        """Stop polling. Runs that were taken already go on, and are seen to. `because`: the fault."""
        number = None if because is None else because.number
        if number not in self._away:
            note = self._journal.here if because is None else self._journal.note
            who = {"worker": self.name}
            self._away[number] = note("away", self.pool, because=number, details=who)
        self._polls.end()

    def back(self, because: Note) -> None:
        """What a fault has done to it is over: it starts, unless something else keeps it away."""
        if because.number in self._away:
            self._let_go(because.number)
            if not self._away:
                self.start()

    def _let_go(self, number: int | None) -> None:
        note = self._away.pop(number)
        self._journal.replace(replace(note, until=from_micros(self._clock.instant)))

    def kill(self, because: Note) -> list[UUID]:
        """Let the worker and what it runs be gone, without a report. Returns the runs that it had."""
        self.stop(because)
        if self._thread is None or self._worker is None or self._worker.supervisor is None:
            return []
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        supervisor, self._worker = self._worker.supervisor, None
        self.close()
        return supervisor.kill()

    def close(self) -> None:
        """End the worker's thread."""
        self._polls.end()
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    async def _main(self, ready: Future[None]) -> None:
        try:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            worker = SimulatedWorker(
                self.pool,
                self._starter,
                self._cancellations,
                name=self.name,
                limit=self._limit,
            )
            async with worker:
                self._worker = worker
                ready.set_result(None)
                await self._stop.wait()
                worker.abandon()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            elif isinstance(error, Exception):
                self._died(error)
            else:
                raise

    def _died(self, error: Exception) -> None:
        """An error, as of the API's, has ended the worker, as it ends Prefect's: it stays away."""
        said = str(error).partition("\n")[0]
        get_logger("worker").error("Worker %r has ended: %s", self.name, said)
        self.stop(self._journal.origin(error))
        self._thread = self._worker = None

    def process_of(self, flow_run_id: UUID) -> Process | None:
        """The process in which it runs a flow run now."""
        if self._worker is None or self._worker.supervisor is None:
            return None
        return self._worker.supervisor.process_of(flow_run_id)

    # -- polling -----------------------------------------------------------------------------------

    def next_instant(self) -> int | None:
        return self._polls.next_instant()

    def fire(self) -> None:
        self._polls.fire()

    def _candidates(self) -> Iterator[Candidate]:
        if self._polling is not None or self._running() == self._limit:
            return
        seen, polled = self._polled
        # Nothing has been written since a poll: what it found then, and left, it would leave again.
        left = (
            polled + self._prefetch // timedelta(microseconds=1) if seen == self._written() else 0
        )
        parameters = {"pool": self.pool, "after": _sql(left)}
        for flow_run, start in self._database.execute(_EARLIEST, parameters):
            if start is not None:
                yield to_micros(_instant(start) - self._prefetch), (flow_run, seen)

    def _running(self) -> int:
        """How many runs it has that count for its limit."""
        if self._worker is None or self._limit is None:
            return 0
        return self._worker.limiter.borrowed_tokens

    def _poll(self) -> None:
        polled = to_micros(self._clock.now)
        self._polling = polling = asyncio.run_coroutine_threadsafe(self._until_polled(), self._loop)
        self._clock.settle()
        if polling.done():
            self._polling = None
            self._polled = (self._written(), polled)
            if (why := polling.result()) is not None:
                self._gone(why)
        else:
            polling.add_done_callback(self._polled_late)

    async def _until_polled(self) -> Exception | None:
        """Poll, as long as it takes. Returns what the worker dies of, if it does."""
        assert self._worker is not None
        poll = self._worker.get_and_submit_flow_runs

        async def workload() -> None:
            await poll()
            raise _Polled

        try:
            # As in `BaseWorker.start`.
            await critical_service_loop(
                workload, self._interval, jitter_range=0.3, backoff=4, printer=lambda *_: None
            )
        except _Polled:
            pass
        except (RuntimeError, httpx.HTTPStatusError) as error:
            return error
        return None

    def _polled_late(self, polling: Future[Exception | None]) -> None:
        if polling.cancelled():  # with its worker, which has been killed
            return
        self._polling = None
        self._ended += 1
        if (why := polling.result()) is not None:
            self._gone(why)

    def _gone(self, why: Exception) -> None:
        """The worker has ended of an error of the API; without a fault behind it, that is ours."""
        struck = self._journal.origin(why) or self._last_strike()
        if struck is None:
            raise why
        self.stop(struck)

    def _last_strike(self) -> Note | None:
        """The last fault that struck a request of its pool's workers: who polls in vain for long enough
        ends with an error that does not say what it came from.
        """
        asked = ("worker", self.pool)
        for one in reversed(self._journal.notes):
            if (one.details.get("caller"), one.details.get("name")) == asked:
                return one
        return None

    @property
    def is_this_thread(self) -> bool:
        """Whether the calling thread is that of the worker."""
        return threading.current_thread() is self._thread


class _Polled(Exception):
    """Ends Prefect's loop after a poll that has succeeded."""


# What Prefect's `get-runs-from-worker-queues` finds: the earliest run of each queue that has a slot,
# in a pool that has one. An in-process retry is nobody's to take.
_EARLIEST = """
select run.id, min(run.next_scheduled_start_time)
from work_pool pool
join work_queue queue on queue.work_pool_id = pool.id
join flow_run run on run.work_queue_id = queue.id
where pool.name = :pool and not pool.is_paused and not queue.is_paused
  and run.state_type = 'SCHEDULED' and run.next_scheduled_start_time > :after
  and coalesce(json_extract(run.empirical_policy, '$.retry_type'), '') != 'in_process'
  and (queue.concurrency_limit is null or queue.concurrency_limit > (
    select count(*) from flow_run taken
    where taken.work_queue_id = queue.id and taken.state_type in ('RUNNING', 'PENDING')))
  and (pool.concurrency_limit is null or pool.concurrency_limit > (
    select count(*) from flow_run taken join work_queue other on other.id = taken.work_queue_id
    where other.work_pool_id = pool.id and taken.state_type in ('RUNNING', 'PENDING')))
group by queue.id
"""


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _sql(micros: int) -> str:
    """As Prefect writes an instant in SQLite."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return f"{instant:%Y-%m-%d %H:%M:%S.%f}"
