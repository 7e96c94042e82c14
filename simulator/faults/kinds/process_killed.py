"""The processes of a flow's runs are killed."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class ProcessKilled(TimedFault):
    """The processes of all runs of `flow` that go on end, with `exit_code`; or, where a run of `flow` is
    to have `reached` a state, that of this run. Nothing of them happens any more, no `finally` and no
    report, and their workers find them dead. A subflow's process is that of its parent.
    """

    kind: ClassVar[str] = "process killed"
    momentary: ClassVar[bool] = True

    flow: str
    exit_code: int = -signal.SIGKILL

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "flow": arguments.text,
        "exit_code": arguments.exit_code,
    }

    @property
    def target(self) -> str:
        return self.flow

    def strike(self, engine: VirtualStage, blow: Blow) -> None:
        of_one = self.reached is not None and self.reached[0] == self.flow
        for run_id in [blow.run_id] if of_one and blow.run_id else engine.states.running(self.flow):
            try:
                process = engine.process_of(run_id)
            except SimulationError:  # it has none, or none any more
                continue
            blow.note(run_id, process=True)
            process.kill(self.exit_code)

    def does(self) -> str:
        return f"kills the processes of {self.flow} (exit code {self.exit_code})"
