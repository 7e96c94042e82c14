"""What a simulation adds to the steps of a flow: how long they take, and what goes wrong in them.

A step is one attempt at a flow run or a task run. Its own code is called by Prefect's engine; here
that call is surrounded by the faults and durations that were asked for under the step's name.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio

from simulator.faults.durations import Duration, draw
from simulator.faults.plans import Fault, Step
from simulator.places import place_of_error

if TYPE_CHECKING:
    from simulator.history import Journal

Call = Callable[[], Any]


@dataclass(frozen=True)
class _Attempt:
    """An attempt at a step: Prefect's run and how often it has been tried, and whose it is."""

    name: str
    run_id: UUID
    attempt: int
    flow_run_id: UUID | None
    task_run_id: UUID | None


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
        self._faults: dict[str, list[Fault]] = {}
        self._durations: dict[str, Duration] = {}
        self._mutex = threading.Lock()
        self._occurrences: dict[tuple[str, UUID], tuple[int, datetime, int]] = {}
        self._counts: Counter[str] = Counter()
        self._within: Counter[tuple[str, datetime]] = Counter()

    def fail(self, fault: Fault) -> None:
        self._faults.setdefault(fault.name, []).append(fault)

    def take(self, name: str, duration: Duration) -> None:
        self._durations[name] = duration

    @property
    def fault_count(self) -> int:
        return sum(map(len, self._faults.values()))

    # -- called by Prefect's engines -----------------------------------------------------------------

    def around_flow(self, call: Call) -> Any:
        from prefect.context import (
            FlowRunContext,  # late: what users pass is checked without Prefect
        )

        context = FlowRunContext.get()
        if context is None or context.flow is None or context.flow_run is None:
            return call()
        run = context.flow_run
        attempt = _Attempt(context.flow.name, run.id, run.run_count, run.id, None)
        return self._around(attempt, call, context.flow.isasync)

    def around_task(self, call: Call) -> Any:
        from prefect.context import TaskRunContext

        context = TaskRunContext.get()
        if context is None:
            return call()
        run = context.task_run
        attempt = _Attempt(context.task.name, run.id, run.run_count, run.flow_run_id, run.id)
        return self._around(attempt, call, context.task.isasync)

    def _around(self, attempt: _Attempt, call: Call, isasync: bool) -> Any:
        if isasync:
            return self._awatched(attempt, call)
        try:
            if not self._planned(attempt.name):
                return call()
            return self._surround(attempt, call)
        except BaseException as error:
            self._saw(error, attempt)
            raise

    async def _awatched(self, attempt: _Attempt, call: Call) -> Any:
        try:
            if self._planned(attempt.name):
                return await self._asurround(attempt, call)
            result = call()
            return await result if asyncio.iscoroutine(result) else result
        except BaseException as error:
            self._saw(error, attempt)
            raise

    def _planned(self, name: str) -> bool:
        return name in self._faults or name in self._durations

    def _saw(self, error: BaseException, attempt: _Attempt) -> None:
        place = place_of_error(error.__traceback__)
        self._journal.error(error, place, attempt.flow_run_id, attempt.task_run_id)

    def _surround(self, attempt: _Attempt, call: Call) -> Any:
        step = self._step(attempt)
        fault = self._fault(step)
        if fault is not None:
            if fault.after:
                time.sleep(fault.after.total_seconds())
            raise self._strike(fault, attempt)
        result = call()
        if seconds := self._seconds(step):
            time.sleep(seconds)
        return result

    async def _asurround(self, attempt: _Attempt, call: Call) -> Any:
        step = self._step(attempt)
        fault = self._fault(step)
        if fault is not None:
            if fault.after:
                await anyio.sleep(fault.after.total_seconds())
            raise self._strike(fault, attempt)
        result = call()
        if asyncio.iscoroutine(result):
            result = await result
        if seconds := self._seconds(step):
            await anyio.sleep(seconds)
        return result

    def _fault(self, step: Step) -> Fault | None:
        now = self._now()
        faults = self._faults.get(step.name, ())
        return next((fault for fault in faults if fault.strikes(step, now, self._seed)), None)

    def _strike(self, fault: Fault, attempt: _Attempt) -> BaseException:
        """The error with which a fault strikes now."""
        note = self._journal.note(
            "fault",
            str(fault),
            run_id=attempt.flow_run_id,
            task_run_id=attempt.task_run_id,
            details={"fault": fault.number, "target": fault.name, "attempt": attempt.attempt},
        )
        error = fault.raised()
        self._journal.mark(error, note)
        return error

    def _seconds(self, step: Step) -> float:
        duration = self._durations.get(step.name)
        if duration is None:
            return 0.0
        dice = step.dice(self._seed, "duration")
        return draw(duration, step.occurrence, dice).total_seconds()

    # -- which step it is ----------------------------------------------------------------------------

    def _step(self, attempt: _Attempt) -> Step:
        name, run_id = attempt.name, attempt.run_id
        with self._mutex:
            known = self._occurrences.get((name, run_id))
            if known is None:
                known = self.number(name, run_id, attempt.flow_run_id)
                self._occurrences[name, run_id] = known
        occurrence, cycle, within = known
        return Step(name, occurrence, max(attempt.attempt, 1), cycle, within)

    def number(
        self,
        name: str,
        run_id: UUID,  # noqa: ARG002
        flow_run_id: UUID | None,
    ) -> tuple[int, datetime, int]:
        """Of a run that starts now: its number among those of this name, its cycle, its number
        within the cycle. Called once for each run.
        """
        cycle = self.cycle(flow_run_id)
        numbers = (self._counts[name], cycle, self._within[name, cycle])
        self._counts[name] += 1
        self._within[name, cycle] += 1
        return numbers

    def cycle(self, flow_run_id: UUID | None) -> datetime:
        """The instant for which the outermost parent of a flow run was scheduled."""
        row = self._database.execute(_OUTERMOST, {"id": str(flow_run_id)}).fetchone()
        if row is None or row[0] is None:
            return self._now().replace(microsecond=0)
        return datetime.fromisoformat(row[0]).replace(tzinfo=UTC, microsecond=0)


_OUTERMOST = """
with recursive up(id, expected, parent) as (
    select id, expected_start_time, parent_task_run_id from flow_run where id = :id
    union all
    select f.id, f.expected_start_time, f.parent_task_run_id
    from up join task_run t on t.id = up.parent join flow_run f on f.id = t.flow_run_id
)
select expected from up where parent is null
"""
