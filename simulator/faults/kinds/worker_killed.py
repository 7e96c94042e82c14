"""A worker is killed, and what it runs with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class WorkerKilled(TimedFault):
    """The worker of `work_pool` and all processes that it has started are killed, as when their machine
    is gone. Nobody is left to report it: what was Running or Pending stays so, and its slots held, until
    somebody or an automation sets another state. A new worker comes at the second of `between`.
    """

    kind: ClassVar[str] = "worker killed"

    work_pool: str = "default"

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"work_pool": arguments.text}

    @property
    def target(self) -> str:
        return self.work_pool

    def strike(self, engine: VirtualStage, blow: Blow) -> None:
        for run_id in engine.pools[self.work_pool].kill(blow.note()):
            blow.note(run_id, process=True)

    def end(self, engine: VirtualStage, kept: Any) -> None:  # noqa: ARG002
        engine.pools[self.work_pool].start()

    def does(self) -> str:
        return f"kills the worker of {self.work_pool} with what it runs"
