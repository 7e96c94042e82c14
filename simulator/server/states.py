"""The states of flow runs: which run now, and, before time goes on, who has entered one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from uuid import UUID

from simulator.clock import VirtualClock


class StatesOfRuns:
    """The states of flow runs, for those who ask or wait for one. A source of the clock's events.

    They are read from the server's `database` whenever something has been `written`.
    """

    def __init__(
        self, clock: VirtualClock, database: sqlite3.Connection, written: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._database = database
        self._written = written
        self._waiting: list[tuple[str, str, Callable[[UUID], object]]] = []
        self._seen: int | None = None
        self._last = 0
        self._entered: list[Callable[[], object]] = []

    def watch(self, flow: str, state: str, tell: Callable[[UUID], object]) -> None:
        """Call `tell` with the id of a run of `flow`, from the driving thread, each time that one has
        entered `state`, a state's name or type, from now on.
        """
        if not self._waiting:
            self._last = self._database.execute(_LAST).fetchone()[0]
        self._waiting.append((flow, state, tell))

    def running(self, flow: str) -> list[UUID]:
        """The runs of a flow that have begun and not ended, oldest first."""
        return [UUID(row[0]) for row in self._database.execute(_RUNNING, [flow])]

    def next_instant(self) -> int | None:
        if self._waiting and self._seen != (written := self._written()):
            self._seen = written
            self._look()
        return self._clock.instant if self._entered else None

    def _look(self) -> None:
        for rowid, run, flow, *states in self._database.execute(_SINCE, [self._last]):
            self._last = rowid
            for of_flow, state, tell in self._waiting:
                if of_flow == flow and state in states:
                    self._entered.append(lambda tell=tell, run=run: tell(UUID(run)))  # type: ignore[misc]

    def fire(self) -> None:
        self._entered.pop(0)()


_RUNNING = """
select run.id from flow_run run join flow on flow.id = run.flow_id
where flow.name = ? and run.start_time is not null and run.end_time is null
order by run.start_time, run.rowid
"""

_LAST = "select coalesce(max(rowid), 0) from flow_run_state"

_SINCE = """
select state.rowid, run.id, flow.name, state.name, state.type
from flow_run_state state
join flow_run run on run.id = state.flow_run_id
join flow on flow.id = run.flow_id
where state.rowid > ?
order by state.rowid
"""
