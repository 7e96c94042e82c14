"""Tells those who run flows that a run has been suspended or is to be cancelled.

Prefect hears of both through a websocket, within milliseconds. Here it is read from the database
whenever something has been written, and told before time moves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.states import Suspended

from simulator.clock import VirtualClock


class Observer:
    """Watches flow runs for one state. A source of the clock's events.

    `condition` is the state, as a condition on Prefect's table of flow runs.
    """

    def __init__(
        self,
        condition: str,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
    ) -> None:
        self._condition = condition
        self._clock = clock
        self._database = database
        self._written = written
        self._seen: int | None = None
        self._watched: dict[str, Callable[[], object]] = {}
        self._entered: list[str] = []

    def watch(self, flow_run_id: UUID, tell: Callable[[], object]) -> None:
        """Call `tell`, from the driving thread, once the run has entered the state."""
        self._watched[str(flow_run_id)] = tell
        self._seen = None

    def forget(self, flow_run_id: UUID) -> None:
        self._watched.pop(str(flow_run_id), None)

    def next_instant(self) -> int | None:
        written = self._written()
        if self._seen != written:
            self._seen = written
            self._entered = self._look()
        return self._clock.instant if self._entered else None

    def _look(self) -> list[str]:
        if not self._watched:
            return []
        marks = ", ".join("?" * len(self._watched))
        query = (
            f"select id from flow_run where id in ({marks}) and {self._condition} order by rowid"
        )
        return [row[0] for row in self._database.execute(query, list(self._watched))]

    def fire(self) -> None:
        tell = self._watched.pop(self._entered.pop(0), None)
        if tell is not None:
            tell()


class Suspensions(Observer):
    """The running flow runs that can be suspended from outside."""

    def __init__(
        self, clock: VirtualClock, database: sqlite3.Connection, written: Callable[[], int]
    ) -> None:
        suspended = "state_type = 'PAUSED' and state_name = 'Suspended'"
        super().__init__(suspended, clock, database, written)

    @contextmanager
    def observe(self, flow_run_id: UUID, request: Any, **_: Any) -> Iterator[None]:
        """Watch `flow_run_id` for the length of a `with` block."""
        state: State[Any] = Suspended()
        self.watch(flow_run_id, lambda: request.mark_requested(state))
        try:
            yield
        finally:
            self.forget(flow_run_id)


class Cancellations(Observer):
    """The running flow runs that can be cancelled from outside."""

    def __init__(
        self, clock: VirtualClock, database: sqlite3.Connection, written: Callable[[], int]
    ) -> None:
        super().__init__("state_type = 'CANCELLING'", clock, database, written)
