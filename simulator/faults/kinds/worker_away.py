"""A worker is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.plans import Stage, VirtualStage
from simulator.faults.starts import of_pool
from simulator.faults.timed import Blow, TimedFault

if TYPE_CHECKING:
    from simulator.history import Note


@dataclass(frozen=True, kw_only=True)
class WorkerAway(TimedFault):
    """The workers of `work_pool`, or the `worker` of this name alone, take nothing `between` two
    instants, or from one on; what runs goes on, and is seen to.
    """

    kind: ClassVar[str] = "worker away"

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
        super().check(stage)
        stage.pools[self.work_pool].named(self.worker)

    def strike(self, engine: VirtualStage, blow: Blow) -> tuple[list[Any], Note]:
        note = blow.note()
        workers = engine.pools[self.work_pool].named(self.worker)
        for worker in workers:
            self.take_away(worker, note, blow)
        return workers, note

    def take_away(self, worker: Any, note: Note, blow: Blow) -> None:  # noqa: ARG002
        """What happens to each of them."""
        worker.stop(note)

    def end(self, engine: VirtualStage, kept: tuple[list[Any], Note]) -> None:  # noqa: ARG002
        workers, note = kept
        for worker in workers:
            worker.back(note)

    def does(self) -> str:
        return f"keeps the worker of {self.target} away"
