"""Work pools that nobody has made through the simulation: a script has, or `prefect deploy`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Container

from simulator.clock import VirtualClock


class UnservedPools:
    """Gives each such work pool a worker. A source of the clock's events.

    `served` has the pools with a worker; `serve(name)` gives one to a pool.
    """

    def __init__(
        self,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
        served: Container[str],
        serve: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._database = database
        self._written = written
        self._served = served
        self._serve = serve
        self._seen: int | None = None
        self._unserved: list[str] = []

    def next_instant(self) -> int | None:
        if self._written() != self._seen:
            self._seen = self._written()
            names = [row[0] for row in self._database.execute("select name from work_pool")]
            self._unserved = sorted(name for name in names if name not in self._served)
        return self._clock.instant if self._unserved else None

    def fire(self) -> None:
        unserved, self._unserved = self._unserved, []
        for name in unserved:
            self._serve(name)
