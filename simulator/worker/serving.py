"""A process that serves deployments, as `flow.serve` and `serve` start one, in the background.

What is due, how many runs may go on at once, and what becomes of them is decided by Prefect's own
runner (`ScheduledRunPoller`, `LimitManager`). As with a worker, only two things differ: a flow run's
process is a thread, and polls that cannot find anything are left out.
"""

from __future__ import annotations

import asyncio
import contextvars
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
from prefect.client.orchestration import get_client
from prefect.runner import Runner

from simulator.clock import Candidate, GridLoop, VirtualClock, start_counted
from simulator.instants import to_micros
from simulator.patches.prefect.deployments import (
    poll,
    prefetch_of,
    served_by,
    storage_of,
    taken_by,
)
from simulator.patches.prefect.runner import LimitManager, ScheduledRunPoller
from simulator.process import Process
from simulator.server import Cancellations
from simulator.worker.starting import Starter
from simulator.worker.supervision import Supervisor


class Serving:
    """One of Prefect's runners, which knows its deployments. A source of the clock's events.

    `supervise(client)` makes what starts the processes of its flow runs and sees to them.
    """

    def __init__(
        self,
        runner: Runner,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
        context: contextvars.Context,
        supervise: Callable[[Any], Supervisor],
    ) -> None:
        self.name = runner.name
        self._runner = runner
        self._clock = clock
        self._database = database
        self._written = written
        self._context = context
        self._supervise = supervise
        self._prefetch = prefetch_of(runner)
        self._polled: tuple[int, int] = (-1, 0)
        self._polls = GridLoop(
            f"polls of {self.name!r}",
            timedelta(seconds=runner.query_seconds),
            clock,
            written,
            self._candidates,
            self._poll,
        )
        self.supervisor: Supervisor
        self._poller: ScheduledRunPoller
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._serve, name=f"runner {self.name!r}")
        self._ready: Future[None] = Future()

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve from now on: the first poll is now."""
        start_counted(self._thread, self._clock, self._context, background=True)
        self._ready.result()
        self._polls.begin()

    def close(self) -> None:
        """End the runner's thread, and remove what it has fetched, as Prefect's runner does."""
        self._polls.end()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        shutil.rmtree(storage_of(self._runner), ignore_errors=True)

    def _serve(self) -> None:
        try:
            asyncio.run(self._main(), debug=False)
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        runner = self._runner
        async with (
            get_client() as client,
            self._supervise(client) as self.supervisor,
            LimitManager(limit=runner.limit) as limit,
            anyio.create_task_group() as runs,
        ):
            self._poller = ScheduledRunPoller(
                query_seconds=runner.query_seconds,
                prefetch_seconds=self._prefetch.total_seconds(),
                client=client,
                limit_manager=limit,
                deployment_registry=served_by(runner),
                runs_task_group=runs,
                storage_objs=[],
                **self.supervisor.parts(),
            )
            self._ready.set_result(None)
            await self._stop.wait()
            runs.cancel_scope.cancel()

    # -- polling -----------------------------------------------------------------------------------

    def next_instant(self) -> int | None:
        return self._polls.next_instant()

    def fire(self) -> None:
        self._polls.fire()

    def _candidates(self) -> Iterator[Candidate]:
        seen, polled = self._polled
        # Nothing has been written since a poll: what it found then, and left, it would leave again.
        left = (
            polled + self._prefetch // timedelta(microseconds=1) if seen == self._written() else 0
        )
        served = served_by(self._runner).get_deployment_ids()
        busy = taken_by(self._poller)
        marks = ", ".join("?" * len(served))
        rows = self._database.execute(
            _SCHEDULED.format(served=marks), [*map(str, served), _sql(left)]
        )
        for run, start in rows:
            if run not in busy:
                due = datetime.fromisoformat(start).replace(tzinfo=UTC) - self._prefetch
                yield to_micros(due), (run, seen)
                return

    def _poll(self) -> None:
        polled = to_micros(self._clock.now)
        found = asyncio.run_coroutine_threadsafe(poll(self._poller), self._loop)
        self._clock.settle()
        if found.done():
            found.result()
        self._polled = (self._written(), polled)


# What Prefect's `get_scheduled_flow_runs` finds.
_SCHEDULED = """
select id, next_scheduled_start_time from flow_run
where deployment_id in ({served}) and state_type = 'SCHEDULED' and next_scheduled_start_time > ?
order by next_scheduled_start_time
"""


def _sql(micros: int) -> str:
    """As Prefect writes an instant in SQLite."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return f"{instant:%Y-%m-%d %H:%M:%S.%f}"


class Runners:
    """The runners of one simulation. Whoever serves goes on in the background, until its end."""

    def __init__(
        self,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
        context: contextvars.Context,
        starter: Starter,
        cancellations: Cancellations,
    ) -> None:
        self._clock = clock
        self._database = database
        self._written = written
        self._context = context
        self._starter = starter
        self._cancellations = cancellations
        self._serving: list[Serving] = []

    def serve(self, runner: Runner) -> None:
        """Serve the deployments that `runner` has been given, from now on."""
        serving = Serving(
            runner,
            self._clock,
            self._database,
            self._written,
            self._context,
            lambda client: Supervisor(
                client, self._starter.start, self._starter.flows, self._cancellations
            ),
        )
        self._serving.append(serving)
        self._clock.add_source(serving)
        serving.start()

    def process_of(self, flow_run_id: UUID) -> Process | None:
        """The process in which a runner runs a flow run now."""
        found = (serving.supervisor.process_of(flow_run_id) for serving in self._serving)
        return next((process for process in found if process is not None), None)

    def close(self) -> None:
        """End their threads."""
        for serving in self._serving:
            serving.close()
