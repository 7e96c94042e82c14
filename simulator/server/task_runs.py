"""Task runs that wait for a task worker, and the task workers that ask for them.

A real task worker takes them from a websocket, which a server asks a hundred times a second. Here who
asks is told at once, and holds the clock from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any

from prefect.server.task_queue import TaskQueue

from simulator.server.server import Server

Deliver = Callable[[dict[str, Any]], None]


class TaskRuns:
    """The queues of one server, on its loop. Each run goes to one worker, the first that has asked."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._asking: list[tuple[frozenset[str], Deliver]] = []
        self.served: set[str] = set()
        """The keys of the tasks that a worker has asked for."""

    async def ask(self, keys: Collection[str], deliver: Deliver) -> None:
        """Hand one run of tasks with these keys to `deliver`, now or as soon as there is one.

        Called from a worker's loop; `deliver` is called on the server's, with the run as JSON has it.
        """
        self.served.update(keys)

        async def take() -> None:
            async with self._server.turn():
                self._asking.append((frozenset(keys), deliver))
                self._hand_over(keys)

        await self._server.acall("the next run for a task worker", take)

    def came(self, key: str) -> None:
        """A run has been put into the queue of `key`. Called on the server's loop."""
        self._hand_over([key])

    def _hand_over(self, keys: Iterable[str]) -> None:
        for key in keys:
            queue = TaskQueue.for_key(key)
            for asking in [one for one in self._asking if key in one[0]]:
                try:
                    run = queue.get_nowait()
                except asyncio.QueueEmpty:
                    break
                self._asking.remove(asking)
                asking[1](run.model_dump(mode="json"))
