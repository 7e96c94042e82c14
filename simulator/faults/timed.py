"""Faults that strike at an instant of their own, whatever runs then, and may be over at another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.plans import Fault, Injected, Stage, VirtualStage, virtual
from simulator.instants import to_micros

if TYPE_CHECKING:
    from simulator.history import Note


@dataclass(frozen=True, kw_only=True)
class TimedFault(Fault):
    """A fault that strikes `at` an instant, for ever; or `between` two: at the second one it is over."""

    at: datetime | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"at": arguments.optional(arguments.instant)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.at is None) == (self.between is None):
            said = f"{self.kind} of {self.target!r}"
            raise SimulationError(f"{said} needs at=instant or between=(from, until)")

    def check(self, stage: Stage) -> None:
        if self.at is not None and self.at < stage.now:
            raise SimulationError(
                f"at: {self.at:%Y-%m-%dT%H:%M:%SZ} has passed, {self.does()!r} could never strike"
            )

    def begin(self, stage: Stage, injected: Injected) -> None:
        engine = virtual(stage, self)
        if injected.dice().random() >= self.probability:
            return
        since, until = self.between or (self.at, None)
        assert since is not None
        clock = engine.clock
        kept: list[Any] = []

        def strike() -> None:
            kept.append(self.strike(engine, Blow(engine, injected)))
            engine.at_end.callback(put_back)

        def put_back() -> None:
            while kept:
                self.put_back(kept.pop())

        clock.call_at(max(to_micros(since), clock.instant), strike)
        if until is not None:
            clock.call_at(to_micros(until), lambda: self.end(engine, kept.pop()))

    def strike(self, engine: VirtualStage, blow: Blow) -> Any:
        """What happens when it strikes, to be told by `blow`. Returns what its end has to know."""
        raise NotImplementedError

    def end(self, engine: VirtualStage, kept: Any) -> None:  # noqa: ARG002
        """What happens when it is over; `kept` is what `strike` has returned."""
        self.put_back(kept)

    def put_back(self, kept: Any) -> None:
        """Put back what shall not outlast the simulation either, if that ends before it is over."""


@dataclass(frozen=True)
class Blow:
    """One time that a fault strikes, which notes whom."""

    engine: VirtualStage
    injected: Injected

    def note(self, run_id: UUID | None = None, **details: Any) -> Note:
        """Take note that it strikes now, a run perhaps. `details`: what else is to be known of it."""
        fault: Fault = self.injected.fault
        return self.engine.journal.note(
            "fault",
            str(fault),
            run_id=run_id,
            until=None if fault.between is None else fault.between[1],
            details={"fault": self.injected.number, "target": fault.target, **details},
        )
