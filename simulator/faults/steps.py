"""What a simulation adds to the steps of a flow: how long they take, and what goes wrong in them.

A step is one attempt at a flow run or a task run. Its own code is called by Prefect's engine; here
that call is surrounded by the faults and durations that were asked for under the step's name.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import anyio

from simulator.faults.durations import Duration, draw
from simulator.faults.earlier import Returned
from simulator.faults.plans import Effect, Injected, Step, StepFault
from simulator.places import place_of_error

if TYPE_CHECKING:
    from simulator.history import Journal, Note

Call = Callable[[], Any]

StandIn = Callable[[Callable[..., Any], Sequence[Any], Mapping[str, Any], int], Any]
"""What is called in place of a step's own function, with it, its arguments and the attempt."""


class Body(Protocol):
    """A call of a step's own function, and whose it is."""

    @property
    def function(self) -> Callable[..., Any]: ...

    def __call__(self) -> Any: ...

    def arguments(self) -> tuple[Sequence[Any], Mapping[str, Any]]: ...


@dataclass(frozen=True)
class _Attempt:
    """An attempt at a step: Prefect's run and how often it has been tried, and whose it is. `of_flow`
    is the attempt of the flow run in which a task is.
    """

    name: str
    run_id: UUID
    attempt: int
    flow_run_id: UUID | None
    task_run_id: UUID | None
    of_flow: int = 0


class Steps:
    """The faults and durations of one simulation, by step name.

    `now` tells the time; `database` is the server's, to read. What strikes a step, and what goes
    wrong in it, is noted in the `journal`.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        database: sqlite3.Connection,
        seed: int,
        journal: Journal,
    ) -> None:
        self._journal = journal
        self._now = now
        self._database = database
        self._seed = seed
        self._faults: dict[str, list[Injected]] = {}
        self._durations: dict[str, Duration] = {}
        self._stand_ins: dict[str, StandIn] = {}
        self._mutex = threading.Lock()
        self._begun: dict[str, dict[UUID, tuple[UUID | None, datetime]]] = {}
        self._occurrences: dict[tuple[str, UUID], tuple[int, datetime, int]] = {}
        self._counts: Counter[str] = Counter()
        self._within: Counter[tuple[str, datetime]] = Counter()
        self._returned = Returned(database)
        self.lacking: set[int] = set()
        """The numbers of faults that were to let a step return something earlier, when it had not."""

    def strike(self, injected: Injected) -> None:
        if runs_back := getattr(injected.fault, "runs_back", 0):
            self._returned.keep(injected.fault.step, runs_back)
        self._faults.setdefault(injected.fault.step, []).append(injected)

    def take(self, name: str, duration: Duration) -> None:
        self._durations[name] = duration

    def stand_in(self, name: str, answer: StandIn) -> None:
        self._stand_ins[name] = answer

    # -- called by Prefect's engines -----------------------------------------------------------------

    def around_flow(self, call: Body) -> Any:
        from prefect.context import (
            FlowRunContext,  # late: what users pass is checked without Prefect
        )

        context = FlowRunContext.get()
        if context is None or context.flow is None or context.flow_run is None:
            return call()
        run = context.flow_run
        name = self._name(run.flow_id) or context.flow.name
        attempt = _Attempt(name, run.id, run.run_count, run.id, None)
        return self._around(attempt, call, context.flow.isasync)

    def around_task(self, call: Body) -> Any:
        from prefect.context import FlowRunContext, TaskRunContext

        context = TaskRunContext.get()
        if context is None:
            return call()
        run = context.task_run
        within = FlowRunContext.get()
        of_flow = within.flow_run.run_count if within is not None and within.flow_run else 0
        attempt = _Attempt(
            context.task.name, run.id, run.run_count, run.flow_run_id, run.id, of_flow
        )
        return self._around(attempt, call, context.task.isasync)

    def _around(self, attempt: _Attempt, body: Body, isasync: bool) -> Any:
        # Counted even if nothing is planned for it: something may be, later.
        self.begin(attempt.name, attempt.run_id, attempt.flow_run_id)
        self._returned.begin(attempt.name, attempt.run_id, attempt.flow_run_id, attempt.of_flow)
        step = self._step(attempt) if self._planned(attempt.name) else None
        call: Call = body
        if stand_in := self._stand_ins.get(attempt.name):
            call = partial(stand_in, body.function, *body.arguments(), max(attempt.attempt, 1))
        if isasync:
            return self._awatched(step, attempt, call)
        try:
            return self._ended(attempt, self._surround(step, attempt, call) if step else call())
        except BaseException as error:
            self._saw(error, attempt)
            raise

    async def _awatched(self, step: Step | None, attempt: _Attempt, call: Call) -> Any:
        try:
            if step:
                return self._ended(attempt, await self._asurround(step, attempt, call))
            result = call()
            result = await result if asyncio.iscoroutine(result) else result
            return self._ended(attempt, result)
        except BaseException as error:
            self._saw(error, attempt)
            raise

    def _ended(self, attempt: _Attempt, result: Any) -> Any:
        if attempt.task_run_id is None and attempt.flow_run_id is not None:
            self._journal.returned(result, attempt.flow_run_id)
        self._returned.put(attempt.name, attempt.run_id, result)
        return result

    def _planned(self, name: str) -> bool:
        return name in self._faults or name in self._durations

    def _saw(self, error: BaseException, attempt: _Attempt) -> None:
        place = place_of_error(error.__traceback__)
        self._journal.error(error, place, attempt.flow_run_id, attempt.task_run_id)

    def _surround(self, step: Step, attempt: _Attempt, call: Call) -> Any:
        factor, longer, waited = 1.0, 0.0, 0.0
        for injected, effect in self._effects(step, attempt):
            if effect.before > waited:
                time.sleep(effect.before - waited)
                waited = effect.before
            note = self._struck(injected, effect, step, attempt)
            if effect.forever:
                threading.Event().wait()
            if effect.instead:
                return self._instead(effect, note)
            factor *= effect.factor
            longer += effect.longer
        began = self._now()
        result = call()
        if seconds := self._added(step, began, factor, longer - waited):
            time.sleep(seconds)
        return result

    async def _asurround(self, step: Step, attempt: _Attempt, call: Call) -> Any:
        factor, longer, waited = 1.0, 0.0, 0.0
        for injected, effect in self._effects(step, attempt):
            if effect.before > waited:
                await anyio.sleep(effect.before - waited)
                waited = effect.before
            note = self._struck(injected, effect, step, attempt)
            if effect.forever:
                await anyio.Event().wait()
            if effect.instead:
                return self._instead(effect, note)
            factor *= effect.factor
            longer += effect.longer
        began = self._now()
        result = call()
        if asyncio.iscoroutine(result):
            result = await result
        if seconds := self._added(step, began, factor, longer - waited):
            await anyio.sleep(seconds)
        return result

    def _effects(self, step: Step, attempt: _Attempt) -> Iterator[tuple[Injected, Effect]]:
        """What strikes this attempt, by when, up to what takes the place of its own code."""
        now = self._now()
        faults = [one for one in self._faults.get(step.name, ()) if one.strikes(step, now)]
        struck = [(injected, self._effect(injected, step, attempt)) for injected in faults]
        possible = [(injected, effect) for injected, effect in struck if effect is not None]
        for injected, effect in sorted(possible, key=lambda one: one[1].before):
            yield injected, effect
            if effect.instead:
                return

    def _effect(self, injected: Injected, step: Step, attempt: _Attempt) -> Effect | None:
        """What a fault does to this attempt; None if it cannot do it now."""
        effect = injected.effect(step)
        if not effect.runs_back:
            return effect
        value = self._returned.before(attempt.run_id, effect.runs_back)
        if not value:
            self.lacking.add(injected.number)
            return None
        return replace(effect, value=value)

    def _struck(self, injected: Injected, effect: Effect, step: Step, attempt: _Attempt) -> Note:
        """The note that a fault strikes now."""
        fault: StepFault = injected.fault
        return self._journal.note(
            "fault",
            str(fault),
            run_id=attempt.flow_run_id,
            task_run_id=attempt.task_run_id,
            details={
                "fault": injected.number,
                "target": fault.target,
                "draw": injected.draw(step),
                "attempt": step.attempt,
                "process": effect.exit_code is not None,
                "gives": bool(effect.value),
            },
        )

    def _instead(self, effect: Effect, note: Note) -> Any:
        if effect.exit_code is not None:
            end_process(effect.exit_code)
        if effect.error is not None:
            self._journal.mark(effect.error, note)
            raise effect.error
        return effect.value[0]

    def _added(self, step: Step, began: datetime, factor: float, longer: float) -> float:
        """How many seconds a step takes beyond its own code: what it is said to, and its faults. What it
        has waited for a fault is part of `longer`, below zero.
        """
        taken = (self._now() - began).total_seconds()
        own = self._seconds(step)
        return max(0.0, own + (taken + own) * (factor - 1) + longer)

    def _seconds(self, step: Step) -> float:
        duration = self._durations.get(step.name)
        if duration is None:
            return 0.0
        dice = step.dice(self._seed, "duration")
        return draw(duration, step.occurrence, dice).total_seconds()

    # -- which step it is ----------------------------------------------------------------------------

    def _name(self, flow_id: UUID) -> str | None:
        """What the server calls a flow. One that was deployed `with_options(name=...)` is imported by
        the process of its run under the name that stands in its module.
        """
        row = self._database.execute(_NAME, [str(flow_id)]).fetchone()
        return None if row is None else row[0]

    def begin(self, name: str, run_id: UUID, flow_run_id: UUID | None) -> None:
        """A run starts, perhaps not for the first time. It is numbered once something is planned for
        its name: that asks the database.
        """
        now = self._now()
        with self._mutex:
            if (name, run_id) not in self._occurrences:
                self._begun.setdefault(name, {}).setdefault(run_id, (flow_run_id, now))

    def _step(self, attempt: _Attempt) -> Step:
        name = attempt.name
        with self._mutex:
            self.number_begun(name)
            occurrence, cycle, within = self._occurrences[name, attempt.run_id]
        return Step(name, occurrence, max(attempt.attempt, 1), cycle, within)

    def number_begun(self, name: str) -> None:
        """Number the runs of this name that have begun, in their order."""
        for run_id, (flow_run_id, began) in self._begun.pop(name, {}).items():
            numbers = self.number(name, run_id, self.cycle(flow_run_id, began))
            self._occurrences[name, run_id] = numbers

    def number(
        self,
        name: str,
        run_id: UUID,  # noqa: ARG002
        cycle: datetime,
    ) -> tuple[int, datetime, int]:
        """Of a run that has begun: its number among those of this name, its cycle, its number within
        the cycle. Called once for each run, in the order of their start.
        """
        numbers = (self._counts[name], cycle, self._within[name, cycle])
        self._counts[name] += 1
        self._within[name, cycle] += 1
        return numbers

    def cycle(self, flow_run_id: UUID | None, began: datetime | None = None) -> datetime:
        """The instant for which the outermost parent of a flow run was scheduled; for what belongs to
        none, the instant at which it `began`, by default now.
        """
        row = self._database.execute(_OUTERMOST, {"id": str(flow_run_id)}).fetchone()
        if row is None or row[0] is None:
            return (began or self._now()).replace(microsecond=0)
        return datetime.fromisoformat(row[0]).replace(tzinfo=UTC, microsecond=0)


def end_process(exit_code: int) -> None:
    """End the calling process, simulated or real, with an exit code, here and now. Never returns."""
    from simulator.process import current_process  # late: a live engine has no use for it

    process = current_process()
    if process is not None:
        process.exit(exit_code)
    if exit_code < 0:
        os.kill(os.getpid(), -exit_code)
    os._exit(exit_code)


_NAME = "select name from flow where id = ?"

_OUTERMOST = """
with recursive up(id, expected, parent) as (
    select id, expected_start_time, parent_task_run_id from flow_run where id = :id
    union all
    select f.id, f.expected_start_time, f.parent_task_run_id
    from up join task_run t on t.id = up.parent join flow_run f on f.id = t.flow_run_id
)
select expected from up where parent is null
"""
