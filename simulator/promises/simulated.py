"""The part of a simulation that makes promises."""

from __future__ import annotations

from datetime import datetime

from simulator import arguments
from simulator.engine import Engine
from simulator.errors import SimulationError
from simulator.history import History
from simulator.promises.promise import Outcome, Promise, PromiseBroken, Promises
from simulator.promises.tables import Fresh


class Promising:
    """What a `Simulation` is beside all else: held to promises."""

    _world: Engine

    def __init__(self) -> None:
        super().__init__()
        self._promises = Promises()

    def history(self) -> History:
        raise NotImplementedError

    def promise(self, *promises: Promise, since: datetime | str | None = None) -> None:
        """Hold the simulation to promises of `simulator.promises`, at every instant from `since` on.

        If one was broken, the end of the `with` block raises PromiseBroken, an AssertionError, with the
        first instant, how long, the runs that show it and why they ended so; unless `promises()` has
        been looked at. Raises SimulationError for what is no promise, and for flows and deployments
        that are unknown; a table need not be there yet.
        """
        history = self.history()
        begin = None if since is None else arguments.instant("since", since)
        for one in promises:
            if not isinstance(one, Promise):
                raise SimulationError(f"promise: {one!r} is no promise: see simulator.promises")
            if isinstance(one, Fresh):
                self._world.watch(one.table, one.column)
            else:
                one.check(history)
            self._promises.make(one, begin)

    def promises(self) -> list[Outcome]:
        """Whether each promise was kept so far, in the order in which they were made."""
        return self._promises.outcomes(self.history())

    def _keep_promises(self) -> None:
        """Raise PromiseBroken if one was broken that nobody has looked at."""
        if self._promises.made and not self._promises.looked_at:
            broken = [str(one) for one in self.promises() if not one.kept]
            if broken:
                raise PromiseBroken("\n".join(broken))
