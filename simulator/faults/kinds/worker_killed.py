"""A worker is killed, and what it runs with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.faults.kinds.worker_away import WorkerAway
from simulator.faults.timed import Blow

if TYPE_CHECKING:
    from simulator.history import Note


@dataclass(frozen=True, kw_only=True)
class WorkerKilled(WorkerAway):
    """The workers of `work_pool`, or the `worker` of this name alone, are killed with all processes that
    they have started, as when their machine is gone. Nobody is left to report it: what was Running or
    Pending stays so, and its slots held, until somebody or an automation sets another state. New workers
    come at the second of `between`.
    """

    kind: ClassVar[str] = "worker killed"

    def take_away(self, worker: Any, note: Note, blow: Blow) -> None:
        for run_id in worker.kill(note):
            blow.note(run_id, process=True)

    def does(self) -> str:
        return f"kills the worker of {self.target} with what it runs"
