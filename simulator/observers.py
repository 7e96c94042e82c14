"""Tells running flows that they have been suspended, as Prefect's observer threads do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.states import Suspended

from simulator.clock import VirtualClock, to_micros


class Suspensions:
    """The running flow runs that can be suspended from outside. A source of the clock's events.

    Prefect hears of a suspension through a websocket; here it is read from the database whenever
    something has been written, and told before time moves.
    """

    def __init__(
        self, clock: VirtualClock, database: sqlite3.Connection, changes: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._database = database
        self._changes = changes
        self._asked = -1
        self._requests: dict[str, Any] = {}
        self._suspended: list[str] = []

    @contextmanager
    def observe(self, flow_run_id: UUID, request: Any, **_: Any) -> Iterator[None]:
        """Watch `flow_run_id` for the length of a `with` block."""
        self._requests[str(flow_run_id)] = request
        try:
            yield
        finally:
            del self._requests[str(flow_run_id)]

    def next_instant(self) -> int | None:
        if self._asked != self._changes():
            self._asked = self._changes()
            running = list(self._requests)
            marks = ", ".join("?" * len(running))
            self._suspended = [
                row[0]
                for row in self._database.execute(
                    f"select id from flow_run where id in ({marks})"
                    " and state_type = 'PAUSED' and state_name = 'Suspended'",
                    running,
                )
                if not self._requests[row[0]].is_requested()
            ]
        return to_micros(self._clock.now) if self._suspended else None

    def fire(self) -> None:
        state: State[Any] = Suspended()
        for flow_run_id in self._suspended:
            if flow_run_id in self._requests:
                self._requests[flow_run_id].mark_requested(state)
        self._suspended = []
