"""Processes that serve tasks: what `Task.delay`, `Task.apply_async` and PrefectTaskRunner wait for.

The task worker is Prefect's own. It asks the server in this process for what waits, in place of a
websocket, and runs in a simulated process.
"""

from __future__ import annotations

import contextvars
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from prefect import Task

from simulator.clock import VirtualClock
from simulator.errors import NothingToRun
from simulator.patches.prefect.task_workers import main_of
from simulator.process import Process, Seeds, Surroundings, surrounded
from simulator.server import TaskRuns, settings


class TaskWorkers:
    """The task workers of one simulation. Each serves until its end."""

    def __init__(
        self,
        clock: VirtualClock,
        context: contextvars.Context,
        database: sqlite3.Connection,
        environment: Mapping[str, str],
        seeds: Seeds,
        task_runs: TaskRuns,
    ) -> None:
        self._clock = clock
        self._context = context
        self._database = database
        self._environment = environment
        self._seeds = seeds
        self._task_runs = task_runs

    def serve(self, tasks: Iterable[Task[..., Any]], limit: int | None) -> None:
        """Start a process that serves tasks, so many of them at a time."""
        served = list(tasks)
        self._task_runs.served.update(task.task_key for task in served)
        given = Surroundings(settings=settings.of_environment(self._environment))
        names = ", ".join(task.name for task in served)
        Process(
            f"task worker of {names}",
            surrounded(main_of(served, limit), given),
            self._clock,
            self._context,
            seed=self._seeds.next(f"task worker of {names}"),
        ).start()

    def check(self, task_run_id: UUID) -> None:
        """Raise NothingToRun if a task run waits for a task worker, and there is none for it."""
        if (why := self._unserved(_WAITING_ONE, str(task_run_id))) is not None:
            raise NothingToRun(why)

    def why_nothing(self) -> str | None:
        """Why whoever waits for a task run waits for ever, if that is so."""
        return self._unserved(_WAITING)

    def _unserved(self, query: str, *of: str) -> str | None:
        for key, name in self._database.execute(query, of):
            if key not in self._task_runs.served:
                task = name.rpartition("-")[0] or name
                return (
                    f"task {task!r} waits for a task worker, and there is none that serves it:"
                    " start one with Simulation.serve_tasks(task)"
                )
        return None


_WAITING = "select task_key, name from task_run where state_type = 'SCHEDULED'"
_WAITING_ONE = _WAITING + " and id = ?"
