"""A worker is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class WorkerAway(TimedFault):
    """The worker of `work_pool` takes nothing `between` two instants, or from one on; what runs goes
    on, and is seen to.
    """

    kind: ClassVar[str] = "worker away"

    work_pool: str = "default"

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"work_pool": arguments.text}

    @property
    def target(self) -> str:
        return self.work_pool

    def strike(self, engine: VirtualStage, blow: Blow) -> None:
        engine.pools[self.work_pool].stop(blow.note())

    def end(self, engine: VirtualStage, kept: Any) -> None:  # noqa: ARG002
        engine.pools[self.work_pool].start()

    def does(self) -> str:
        return f"keeps the worker of {self.work_pool} away"
