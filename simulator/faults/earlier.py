"""What steps have returned before, each at its place in a tree of runs: for faults, and for who watches.

The place of a step is the deployments or flows that have led to it, with the how-manieth call each was,
and its own number among those of its name there. Two trees of one deployment have the same places.
"""

from __future__ import annotations

import copy
import pickle
import sqlite3
import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

Place = tuple[Hashable, ...]


class Returned:
    """Keeps what steps of some names return, so many trees back as was asked for.

    `database` is the server's, to read.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._changed = _watching.get()
        self._back: dict[str, int] = {}
        self._mutex = threading.Lock()
        self._numbers: Counter[Place] = Counter()
        self._places: dict[UUID, tuple[Hashable, Place]] = {}
        self._values: dict[Place, dict[Hashable, Any]] = {}

    def keep(self, name: str, runs_back: int) -> None:
        """Keep what the steps of this name return from now on."""
        self._back[name] = max(runs_back, self._back.get(name, 0))

    def _kept(self, name: str) -> int:
        return self._back.get(name, 0 if self._changed is None else 1)

    def begin(self, name: str, run_id: UUID, flow_run_id: UUID | None, attempt: int) -> None:
        """A run starts, perhaps not for the first time; `attempt` is that of the flow run it is in."""
        if not self._kept(name):
            return
        with self._mutex:
            if run_id in self._places:
                return
            row = self._database.execute(_WAY, {"id": str(flow_run_id)}).fetchone()
            root, way = row or (run_id, "")
            self._numbers[root, way, attempt, name] += 1
            place = (way, name, self._numbers[root, way, attempt, name])
            self._places[run_id] = (root, place)

    def put(self, name: str, run_id: UUID, value: Any) -> None:
        """Keep what a run has returned."""
        if run_id not in self._places:
            return
        root, place = self._places[run_id]
        try:
            value = copy.deepcopy(value)
        except Exception:  # a connection, a lock, a future: nothing that anybody hands on as data
            return
        with self._mutex:
            before = self._before(run_id, 1)
            if self._changed is not None and before and not _same(before[0], value):
                self._changed.add(run_id)
            kept = self._values.setdefault(place, {})
            kept[root] = value
            while len(kept) > self._kept(name) + 1:
                del kept[next(iter(kept))]

    def before(self, run_id: UUID, runs_back: int) -> tuple[Any, ...]:
        """The one value that was returned so many runs before a run, at its place; none if none was."""
        with self._mutex:
            return copy.deepcopy(self._before(run_id, runs_back))

    def _before(self, run_id: UUID, runs_back: int) -> tuple[Any, ...]:
        root, place = self._places.get(run_id, (None, ()))
        others = [one for of, one in self._values.get(place, {}).items() if of != root]
        return tuple(others[-runs_back:][:1]) if len(others) >= runs_back else ()


@contextmanager
def watched() -> Iterator[set[UUID]]:
    """Let the simulations that are made in this block see what each step returns.

    Yields the ids of the task runs and flow runs that have returned something else than the run before
    at their place: of those for which `ReturnEarlier` would make a difference.
    """
    changed: set[UUID] = set()
    token = _watching.set(changed)
    try:
        yield changed
    finally:
        _watching.reset(token)


_watching: ContextVar[set[UUID] | None] = ContextVar("watching", default=None)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, as far as they or their bytes can tell."""
    try:
        if bool(one == other):
            return True
    except Exception:  # arrays and frames have no one answer
        pass
    try:
        return pickle.dumps(one) == pickle.dumps(other)
    except Exception:
        return False


_WAY = """
with recursive up(id, way, parent) as (
    select id, coalesce(deployment_id, flow_id), parent_task_run_id from flow_run where id = :id
    union all
    select f.id,
        coalesce(f.deployment_id, f.flow_id)
            || iif(length(t.dynamic_key) < 36, t.dynamic_key, '') || up.way,
        f.parent_task_run_id
    from up join task_run t on t.id = up.parent join flow_run f on f.id = t.flow_run_id
)
select id, way from up where parent is null
"""
"""The outermost run of a flow run's tree, and the way from there. A call in a task has a random key."""
