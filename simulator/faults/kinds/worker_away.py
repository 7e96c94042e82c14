"""A worker is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.plans import Fault, Injected, Stage, virtual
from simulator.instants import to_micros


@dataclass(frozen=True, kw_only=True)
class WorkerAway(Fault):
    """The worker of `work_pool` takes nothing `between` two instants; what runs goes on."""

    kind: ClassVar[str] = "worker away"

    work_pool: str = "default"

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"work_pool": arguments.text}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.between is None:
            raise SimulationError(f"worker away of {self.work_pool!r} needs between=(from, until)")

    @property
    def target(self) -> str:
        return self.work_pool

    def begin(self, stage: Stage, injected: Injected) -> None:
        engine = virtual(stage, self)
        assert self.between is not None
        since, until = self.between
        if injected.dice().random() >= self.probability:
            return
        pool, clock = engine.pools[self.work_pool], engine.clock

        def leave() -> None:
            pool.stop(
                engine.journal.note(
                    "fault",
                    str(self),
                    until=until,
                    details={"fault": injected.number, "target": self.target},
                )
            )

        clock.call_at(max(to_micros(since), clock.instant), leave)
        clock.call_at(to_micros(until), pool.start)

    def does(self) -> str:
        return f"keeps the worker of {self.work_pool} away"
