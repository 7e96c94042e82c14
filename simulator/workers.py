"""The workers of a work pool, by their names: the same for both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from simulator.arguments import unknown
from simulator.errors import SimulationError


class Worker(Protocol):
    """A worker, which may be away."""

    @property
    def working(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


AnyWorker = TypeVar("AnyWorker", bound=Worker)


class Workers(Generic[AnyWorker]):
    """The workers of one work pool. `make(name, limit)` makes one, which does not work yet."""

    def __init__(self, pool: str, make: Callable[[str, int | None], AnyWorker]) -> None:
        self._pool = pool
        self._make = make
        self._workers: dict[str, AnyWorker] = {}

    def __iter__(self) -> Iterator[AnyWorker]:
        return iter(self._workers.values())

    def named(self, name: str | None) -> list[AnyWorker]:
        """The one of this name; all of them for None. Raises SimulationError if there is none."""
        if name is None:
            return list(self)
        if name not in self._workers:
            raise unknown(f"worker of work pool {self._pool!r}", name, self._workers, few=True)
        return [self._workers[name]]

    def start(self, name: str | None = None, limit: int | None = None) -> None:
        """Let the one of this name work, or all of them. A name that is not there is that of a new one.

        Raises SimulationError for a limit of one that is there: it keeps its own.
        """
        if name is not None and name not in self._workers:
            self._workers[name] = self._make(name, limit)
        elif limit is not None:
            which = f"worker {name!r} of work pool {self._pool!r} is there" if name else "name=None"
            raise SimulationError(
                f"limit={limit} is for a new worker, by a name of its own: {which}"
            )
        for worker in self.named(name):
            if not worker.working:
                worker.start()

    def stop(self, name: str | None = None) -> None:
        """Let the one of this name take nothing, or all of them."""
        for worker in self.named(name):
            worker.stop()


def first_of(pool: str) -> str:
    """What the worker is called that a pool has from the start."""
    return f"worker-{pool}"
