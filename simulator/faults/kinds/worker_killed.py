"""A worker is killed, and what it runs with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.kinds.worker_away import WorkerAway
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow


@dataclass(frozen=True, kw_only=True)
class WorkerKilled(WorkerAway):
    """The worker of `work_pool` and all processes that it has started are killed, as when their machine
    is gone. Nobody is left to report it: what was Running or Pending stays so, and its slots held, until
    somebody or an automation sets another state. A new worker comes at the second of `between`.
    """

    kind: ClassVar[str] = "worker killed"

    def strike(self, engine: VirtualStage, blow: Blow) -> None:
        for run_id in engine.pools[self.work_pool].kill(blow.note()):
            blow.note(run_id, process=True)

    def does(self) -> str:
        return f"kills the worker of {self.work_pool} with what it runs"
