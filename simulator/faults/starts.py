"""Faults of the starts of processes: what lies between a worker's taking a run and its first line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from simulator.arguments import kinds as arguments
from simulator.faults.plans import Fault, Injected, Stage, virtual

if TYPE_CHECKING:
    from simulator.history import Note


@dataclass(frozen=True, kw_only=True)
class StartFault(Fault):
    """A fault of the processes that the workers of `work_pool` start, or the `worker` of this name
    alone.
    """

    work_pool: str = "default"
    worker: str | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "work_pool": arguments.text,
        "worker": arguments.optional(arguments.text),
    }

    @property
    def target(self) -> str:
        return of_pool(self.work_pool, self.worker)

    def check(self, stage: Stage) -> None:
        stage.pools[self.work_pool].named(self.worker)

    def begin(self, stage: Stage, injected: Injected) -> None:
        virtual(stage, self).starts.strike(injected)

    def seconds(self, dice: Random) -> float | None:
        """For how long a process does not begin; None for ever. The dice are its own."""
        raise NotImplementedError


def of_pool(work_pool: str, worker: str | None) -> str:
    """A worker of a work pool, or all of them, in a word."""
    return work_pool if worker is None else f"{work_pool}/{worker}"


class Starts:
    """The faults of starts in one simulation. `cycle(run_id)` is the instant for which a run's outermost
    parent was scheduled.
    """

    def __init__(
        self, now: Callable[[], datetime], cycle: Callable[[UUID | None], datetime]
    ) -> None:
        self._now = now
        self._cycle = cycle
        self._faults: list[Injected] = []
        self._then: dict[int, Callable[[Note], object]] = {}

    def strike(self, injected: Injected, then: Callable[[Note], object] = lambda _: None) -> None:
        """Take note of a fault. `then` is called with the note about each time that it strikes."""
        self._faults.append(injected)
        self._then[injected.number] = then

    def noted(self, injected: Injected, note: Note) -> None:
        """A fault has struck, and that has been noted."""
        self._then[injected.number](note)

    def struck(
        self, work_pool: str | None, worker: str | None, flow: str, run_id: UUID
    ) -> tuple[Injected, float, float | None] | None:
        """The fault that strikes the start of a run's process now, its draw, and for how long."""
        for injected in self._faults:
            fault: StartFault = injected.fault
            strikes = fault.work_pool == work_pool and fault.worker in (None, worker)
            if strikes and fault.within(self._now()):
                cycle = self._cycle(run_id).isoformat(timespec="seconds")
                dice = injected.dice(f"start {flow}/{cycle}")
                if (draw := dice.random()) < fault.probability:
                    return injected, draw, fault.seconds(dice)
        return None
