"""A worker is killed, and what it runs with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.kinds.worker_away import WorkerAway
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow


@dataclass(frozen=True, kw_only=True)
class WorkerKilled(WorkerAway):
    """The workers of `work_pool`, or the `worker` of this name alone, are killed with all processes that
    they have started, as when their machine is gone. Nobody is left to report it: what was Running or
    Pending stays so, and its slots held, until somebody or an automation sets another state. New workers
    come at the second of `between`.
    """

    kind: ClassVar[str] = "worker killed"

    def strike(self, engine: VirtualStage, blow: Blow) -> None:
        note = blow.note()
        for worker in engine.pools[self.work_pool].named(self.worker):
            for run_id in worker.kill(note):
                blow.note(run_id, process=True)

    def does(self) -> str:
        return f"kills the worker of {self.target} with what it runs"
