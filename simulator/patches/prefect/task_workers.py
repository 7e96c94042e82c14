"""The patches that let task workers serve in a simulation: `Task.delay`, `Task.serve`, `serve(task)`.

Prefect 3.8.8 and 3.9. A test for each stands in `tests/worker/test_task_workers.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import prefect.task_worker as prefect_task_worker
from prefect import Task
from prefect.futures import PrefectDistributedFuture
from prefect.server.task_queue import TaskQueue
from prefect.task_worker import TaskWorker, aserve

from simulator.clock import counted
from simulator.patches.replacing import replacing
from simulator.process import current_process

SERVES = "serves tasks"
"""In the memory of a process: it is a task worker's."""

Ask = Callable[[Collection[str], Callable[[dict[str, Any]], None]], Awaitable[None]]


@contextmanager
def installed(
    ask: Ask,
    came: Callable[[str], None],
    serve: Callable[[list[Task[..., Any]], int | None], None],
    check: Callable[[UUID], None],
) -> Iterator[None]:
    """Patch Prefect's task workers for one simulation.

    `ask(keys, deliver)` has the next run of a task delivered, `came(key)` is told on the server's loop
    of each run that waits. `serve(tasks, limit)` starts a process that serves tasks. `check(id)` raises
    if a test waits for a task run that nobody will ever take.
    """
    subscribe: Any = TaskWorker._subscribe_to_task_scheduling

    async def _subscribe_to_task_scheduling(self: Any) -> None:
        process = current_process()
        if process is not None and SERVES in process.memory:
            await subscribe(self)
        else:
            serve(self.tasks, self.limit)

    replaced: list[tuple[Any, str, Any]] = [
        # It serves for ever: here in a process of its own, and whoever has called goes on.
        (TaskWorker, "_subscribe_to_task_scheduling", _subscribe_to_task_scheduling),
        # Set for the process, which is not ended by it.
        (prefect_task_worker, "_register_signal", lambda *_: None),
        # A websocket, which the server asks a hundred times a second.
        (prefect_task_worker, "Subscription", _subscription(ask)),
        (TaskQueue, "put", _telling(TaskQueue.put, came)),
        (TaskQueue, "retry", _telling(TaskQueue.retry, came)),
        # They belong to the loop of the server that has made them.
        (TaskQueue, "_task_queues", {}),
        # A test that waits for a task that nobody serves would wait for ever.
        *(
            (
                PrefectDistributedFuture,
                name,
                _checking(getattr(PrefectDistributedFuture, name), check),
            )
            for name in ("wait", "wait_async", "result", "result_async")
        ),
    ]
    with replacing(replaced):
        yield


def main_of(tasks: list[Task[..., Any]], limit: int | None) -> Callable[[], None]:
    """What the process of a task worker does."""

    def main() -> None:
        process = current_process()
        assert process is not None
        process.memory[SERVES] = True
        asyncio.run(aserve(*tasks, limit=limit))

    return main


def _subscription(ask: Ask) -> type:
    class Subscription:
        def __init__(self, model: Any, path: str, keys: Any, **_: Any) -> None:
            self._model = model
            self._keys = list(keys)

        def __aiter__(self) -> Subscription:
            return self

        async def __anext__(self) -> Any:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[dict[str, Any]] = loop.create_future()

            def deliver(run: dict[str, Any]) -> None:
                try:
                    loop.call_soon_threadsafe(found.set_result, run)
                except RuntimeError:
                    pass  # that loop is closed: the worker has ended

            await ask(self._keys, deliver)
            return self._model.model_validate(await found)

    return Subscription


def _telling(put: Any, came: Callable[[str], None]) -> Callable[..., Any]:
    async def put_and_tell(self: Any, task_run: Any) -> None:
        await put(self, task_run)
        came(self.task_key)

    return put_and_tell


def _checking(wait: Any, check: Callable[[UUID], None]) -> Callable[..., Any]:
    def checked(self: Any, *args: Any, **options: Any) -> Any:
        if counted() is None and not self._final_state:
            check(self.task_run_id)
        return wait(self, *args, **options)

    return checked
