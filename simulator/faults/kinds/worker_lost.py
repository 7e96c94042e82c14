"""A worker dies between two calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.plans import Injected, Stage, virtual
from simulator.faults.starts import StartFault

if TYPE_CHECKING:
    from simulator.history import Note


@dataclass(frozen=True, kw_only=True)
class WorkerLost(StartFault):
    """A worker of `work_pool` dies when it has taken a run, and before it starts the run's process: the
    run stays Pending, and its slots held. What that worker runs otherwise dies with it. A new one of its
    name comes after `back`; None: none does.
    """

    kind: ClassVar[str] = "worker lost"

    back: timedelta | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "back": arguments.optional(arguments.span(above_zero=True))
    }

    def begin(self, stage: Stage, injected: Injected) -> None:
        engine = virtual(stage, self)
        clock = engine.clock

        def die(note: Note) -> None:
            [worker] = engine.pools[self.work_pool].named(note.details["worker"])
            for run_id in worker.kill(note):
                if run_id != note.run_id:
                    engine.journal.note(
                        "fault", note.text, run_id=run_id, details={**note.details, "process": True}
                    )
            if self.back is not None:
                clock.call_later(self.back.total_seconds(), partial(worker.back, note))

        engine.starts.strike(injected, lambda note: clock.call_later(0.0, lambda: die(note)))

    def seconds(self, dice: Random) -> float | None:  # noqa: ARG002
        return None

    def does(self) -> str:
        return f"lets a worker of {self.target} die between taking a run and starting it"
