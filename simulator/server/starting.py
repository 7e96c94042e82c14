"""How the server is run. Its start has a limit, and says which of Prefect's services did not come up."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

from simulator.errors import SimulationError

SECONDS = 60.0
"""Real seconds that the server may take to come up."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the server's loop in the calling thread: not by `asyncio.run`, which nest_asyncio replaces for
    good by one that needs a loop of the thread's own. And without debugging: Python's development mode
    would tell of steps that are not the user's.
    """
    with asyncio.Runner(debug=False) as runner:
        runner.run(main)


def starts_of(services: Collection[type]) -> dict[str, asyncio.Task[Any]]:
    """The tasks in which services have been started just now, on the running loop."""
    found: dict[str, asyncio.Task[Any]] = {}
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        service = None if frame is None else frame.f_locals.get("self")
        if type(service) in services:
            found[type(service).__name__] = task
    return found


async def come_up(listening: asyncio.Semaphore, starts: dict[str, asyncio.Task[Any]]) -> None:
    """Wait until all services listen, each of which releases `listening`. SimulationError, at once for
    one that has ended, names those that do not.
    """

    async def all_of_them() -> None:
        for _ in starts:
            await listening.acquire()

    services = {task: _service(task) for task in starts.values()}
    up = asyncio.create_task(all_of_them())
    await asyncio.wait({up, *starts.values()}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if up.done():
        return
    up.cancel()
    ended = {name: task for name, task in starts.items() if task.done()}
    if ended:
        said = [f"{name} {_reason(task)}" for name, task in ended.items()]
        raise SimulationError(f"Prefect's server did not start: its service {'; '.join(said)}")
    late = [
        name
        for name, task in starts.items()
        if getattr(services[task], "consumer_task", None) is None
    ]
    raise SimulationError(
        f"Prefect's server did not start within {SECONDS:g} s of real time: its service"
        f" {', '.join(late or starts)} did not come up"
    )


def _service(task: asyncio.Task[Any]) -> Any:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return None if frame is None else frame.f_locals.get("self")


def _reason(task: asyncio.Task[Any]) -> str:
    error = None if task.cancelled() else task.exception()
    if error is None:
        return "has ended"
    return " ".join(f"has ended by {type(error).__name__}: {error}".split())
