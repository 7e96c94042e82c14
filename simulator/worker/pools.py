"""The work pools of a simulation, each with its workers."""

from __future__ import annotations

import contextvars
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial

from simulator.clock import VirtualClock
from simulator.history import Journal
from simulator.server import Cancellations
from simulator.worker.starting import Starter
from simulator.worker.worker import PoolWorker
from simulator.workers import Workers, first_of


class Pools(dict[str, Workers[PoolWorker]]):
    """The workers of each work pool, by its name. A source of the clock's events.

    Pools that nobody has made through the simulation get a worker as well: a script has made them, or
    `prefect deploy`.
    """

    def __init__(
        self,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
        context: contextvars.Context,
        starter: Starter,
        cancellations: Cancellations,
        journal: Journal,
    ) -> None:
        super().__init__()
        self._given = (clock, database, written, context, starter, cancellations, journal)
        self._clock = clock
        self._journal = journal
        self._database = database
        self._written = written
        self._seen: int | None = None
        self._unserved: list[str] = []

    def ensure(self, name: str) -> None:
        """Give a work pool a worker, if it has none."""
        if name not in self:
            # It is there before it starts: what it asks the server then is asked by a worker.
            self[name] = Workers(name, partial(self._made, name))
            self[name].start(first_of(name))

    def _made(self, pool: str, name: str, limit: int | None) -> PoolWorker:
        worker = PoolWorker(pool, name, limit, *self._given)
        if name != first_of(pool):
            self._journal.here("worker", pool, details={"worker": name, "limit": limit})
        self._clock.add_source(worker)
        return worker

    def workers(self) -> Iterator[PoolWorker]:
        """All workers of all pools."""
        for workers in self.values():
            yield from workers

    def of_this_thread(self) -> str | None:
        """The name of the pool whose worker the calling thread is."""
        return next((one.pool for one in self.workers() if one.is_this_thread), None)

    def next_instant(self) -> int | None:
        if self._written() != self._seen:
            self._seen = self._written()
            names = [row[0] for row in self._database.execute("select name from work_pool")]
            self._unserved = sorted(name for name in names if name not in self)
        return self._clock.instant if self._unserved else None

    def fire(self) -> None:
        unserved, self._unserved = self._unserved, []
        for name in unserved:
            self.ensure(name)
