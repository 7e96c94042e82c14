"""Faults that strike at instants, said or drawn, or when a run has reached a state, for a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    """A fault that strikes `at` an instant, for ever; or `between` two: at the second one it is over; or
    whenever a run has `reached` a state; or so often `per_day`, by chance.

    Args:
        at: The aware instant at which it strikes.
        reached: A flow and a state, by their names: it strikes each time that a run of that flow has
            entered that state (or its type, such as "RUNNING"), before time goes on. With `between`,
            only then. While it lasts, it does not strike again.
        on: Numbers of the times that this happens, from 0, at which it may strike. Needs `reached`.
        per_day: How often a day it strikes on average, at instants that are drawn as if none knew of
            another (a Poisson process), each counted from the end of the one before. With `between`,
            only then.
        lasts: For how long, once it has struck: a timedelta. None: up to the end of `between`, or for
            ever. Needs `reached` or `per_day`.
    """

    momentary: ClassVar[bool] = False
    """Whether it is never over: what it does is done."""

    at: datetime | None = None
    reached: tuple[str, str] | None = None
    on: Collection[int] | None = None
    per_day: float | None = None
    lasts: timedelta | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "at": arguments.optional(arguments.instant),
        "reached": arguments.optional(arguments.flow_and_state),
        "on": arguments.optional(arguments.run_numbers),
        "per_day": arguments.optional(arguments.number(above=0)),
        "lasts": arguments.optional(arguments.span(above_zero=True)),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        said = f"{self.kind} of {self.target!r}"
        ways = [one for one in (self.at, self.reached, self.per_day) if one is not None]
        twice = self.at is not None and self.between is not None
        if twice or len(ways) > 1 or not (ways or self.between):
            needs = 'at=instant, between=(from, until), reached=("flow", "State") or per_day=rate'
            raise SimulationError(f"{said} needs one of {needs}")
        if self.on is not None and self.reached is None:
            raise SimulationError(f'{said}: on={set(self.on)} needs reached=("flow", "State")')
        if self.momentary and (self.lasts is not None or not ways):
            needs = "at=instant, reached= or per_day=, and no lasts="
            raise SimulationError(f"{said} needs {needs}: it is never over")
        if self.lasts is not None and self.reached is None and self.per_day is None:
            raise SimulationError(f"{said}: lasts={self.lasts} needs reached= or per_day=")

    def until(self, now: datetime) -> datetime | None:
        """When it is over if it strikes now; None: never."""
        if self.momentary:
            return None
        if self.lasts is not None:
            return now + self.lasts
        return None if self.between is None else self.between[1]

    def again(self, now: datetime) -> datetime:
        """From when on it may strike again if it strikes now: while it lasts it does not."""
        return now if self.momentary else self.until(now) or arguments.LAST

    def check(self, stage: Stage) -> None:
        if self.at is not None and self.at < stage.now:
            raise SimulationError(
                f"at: {self.at:%Y-%m-%dT%H:%M:%SZ} has passed, {self.does()!r} could never strike"
            )

    def begin(self, stage: Stage, injected: Injected) -> None:
        engine = virtual(stage, self)
        if self.reached is not None:
            engine.states.watch(*self.reached, _Occasions(self, engine, injected).reached)
        elif self.per_day is not None:
            _ByChance(self, engine, injected, self.per_day).next(stage.now)
        elif injected.dice().random() < self.probability:
            since, until = self.between or (self.at, None)
            assert since is not None
            blow = Blow(engine, injected, until)
            begin = max(to_micros(since), engine.clock.instant)
            engine.clock.call_at(begin, lambda: self.strike_until(blow))

    def strike_until(self, blow: Blow) -> None:
        """Strike now, and be over when the blow is."""
        engine = blow.engine
        kept = [self.strike(engine, blow)]

        def put_back() -> None:
            while kept:
                self.put_back(kept.pop())

        engine.at_end.callback(put_back)
        if blow.until is not None:
            engine.clock.call_at(to_micros(blow.until), lambda: self.end(engine, kept.pop()))

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
    """One time that a fault strikes, which notes whom.

    `until` is the instant at which it is over; `run_id` the run that has reached the state which the
    fault waits for, if it waits for one; `draw` what the dice have shown for it.
    """

    engine: VirtualStage
    injected: Injected
    until: datetime | None = None
    run_id: UUID | None = None
    draw: float | None = None

    def note(self, run_id: UUID | None = None, **details: Any) -> Note:
        """Take note that it strikes now, a run perhaps. `details`: what else is to be known of it."""
        fault: Fault = self.injected.fault
        if self.draw is not None:
            details["draw"] = self.draw
        return self.engine.journal.note(
            "fault",
            str(fault),
            run_id=run_id,
            until=self.until,
            details={"fault": self.injected.number, "target": fault.target, **details},
        )


class _Occasions:
    """The times that runs reach the state which a fault waits for."""

    def __init__(self, fault: TimedFault, engine: VirtualStage, injected: Injected) -> None:
        self._fault = fault
        self._engine = engine
        self._injected = injected
        self._number = 0
        self._again = arguments.FIRST
        self._within: Counter[datetime] = Counter()

    def reached(self, run_id: UUID) -> None:
        """A run has reached it now."""
        fault, now = self._fault, self._engine.now
        number, self._number = self._number, self._number + 1
        cycle = self._engine.steps.cycle(run_id)
        nth, self._within[cycle] = self._within[cycle], self._within[cycle] + 1
        if now < self._again or not fault.within(now):
            return
        if fault.on is not None and number not in fault.on:
            return
        draw = self._injected.dice(f"reached {cycle.isoformat(timespec='seconds')}/{nth}").random()
        if draw < fault.probability:
            self._again = fault.again(now)
            until = fault.until(now)
            fault.strike_until(Blow(self._engine, self._injected, until, run_id, draw))


class _ByChance:
    """The instants at which a fault strikes that has a rate: one is drawn when the last one is over."""

    def __init__(
        self, fault: TimedFault, engine: VirtualStage, injected: Injected, per_day: float
    ) -> None:
        self._fault = fault
        self._engine = engine
        self._injected = injected
        self._per_day = per_day
        self._dice = injected.dice("rate")

    def next(self, since: datetime) -> None:
        """Draw the next one."""
        begin, end = self._fault.between or (since, arguments.LAST)
        since = max(since, begin)
        days = self._dice.expovariate(self._per_day)
        if days < (end - since) / timedelta(days=1):
            at = since + timedelta(days=days)
            self._engine.clock.call_at(to_micros(at), lambda: self._strike(at))

    def _strike(self, at: datetime) -> None:
        fault, draw = self._fault, self._dice.random()
        if draw < fault.probability:
            fault.strike_until(Blow(self._engine, self._injected, fault.until(at), None, draw))
            self.next(fault.again(at))
        else:
            self.next(at)
