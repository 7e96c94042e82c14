"""What `run_deployment` waits for, without the polls that cannot see anything new.

`run_deployment` reads the state of its flow run every five seconds and sleeps in between. Reading it
again before it is final cannot change the answer, so a sleeper is woken at its first poll after the
run has ended, or after its own time-out. An asynchronous one is cut off at its time-out and answers
with what it read last: it is woken at the last poll before. A poll that a fault of the API may strike is
never left out.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from types import FrameType

import anyio

from simulator.clock import VirtualClock, Wait, counted, tied
from simulator.instants import to_micros
from simulator.patches.prefect.client import polled_by


@dataclass(eq=False)
class _Sleeper:
    """One that polls every `interval` microseconds from the instant at which it `began`.

    `shown` is what it read then, in microseconds. `due` is the instant of the first poll that can
    tell something new, or whose answer matters anyway; None if there is none yet.
    """

    flow_run_id: str
    began: int
    shown: int
    interval: int
    wake: Callable[[], object]
    due: int | None = None
    ended: bool = False
    troubled: int | None = None

    @property
    def woken(self) -> int | None:
        """The instant at which it is woken: at `due`, or earlier if that poll may be struck."""
        return min((one for one in (self.due, self.troubled) if one is not None), default=None)

    def first_from(self, instant: int) -> int:
        """The first poll at or after `instant`."""
        polls = -(-(instant - self.began) // self.interval)
        return self.began + max(1, polls) * self.interval

    def last_before(self, instant: int) -> int | None:
        """The last poll before `instant`; None if there is none."""
        polls = (instant - 1 - self.began) // self.interval
        return self.began + polls * self.interval if polls > 0 else None


class DeploymentPolls:
    """All sleepers between two polls of `run_deployment`. A source of the clock's events."""

    def __init__(
        self,
        clock: VirtualClock,
        database: sqlite3.Connection,
        written: Callable[[], int],
        next_trouble: Callable[[int], int | None],
    ) -> None:
        self._clock = clock
        self._database = database
        self._written = written
        self._next_trouble = next_trouble
        self._asked = -1
        self._sleepers: list[_Sleeper] = []

    def sleep(self, frame: FrameType, seconds: float) -> bool:
        """Sleep in place of `run_deployment`, if `frame` is its own. Called by counted threads."""
        hold = counted()
        polled = polled_by(frame)
        if polled is None or hold is None:
            return False
        flow_run_id, deadline = polled
        wait = Wait(self._clock, hold)
        sleeper = self._add(flow_run_id, seconds, lambda: self._clock.wake(wait))
        if deadline is not None:
            sleeper.due = sleeper.first_from(self._instant(deadline))
        try:
            self._clock.park(wait)
        finally:
            self._drop(sleeper)  # it may have been interrupted
        return True

    async def asleep(self, flow_run_id: str, seconds: float) -> None:
        """Sleep in place of `arun_deployment`. Its time-out is a cancel scope of its own."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        sleeper = self._add(flow_run_id, seconds, lambda: loop.call_soon_threadsafe(wake))
        deadline = anyio.current_effective_deadline()
        if deadline < inf:
            sleeper.due = sleeper.last_before(self._instant(deadline))
        try:
            await woken
        finally:
            self._drop(sleeper)

    def _add(
        self,
        flow_run_id: str,
        seconds: float,
        wake: Callable[[], object],
    ) -> _Sleeper:
        began, shown = self._clock.instant, to_micros(self._clock.now)
        sleeper = _Sleeper(flow_run_id, began, shown, max(1, round(seconds * 1e6)), wake)
        self._sleepers.append(sleeper)
        self._asked = -1
        return sleeper

    def _instant(self, monotonic: float) -> int:
        """The instant at which `time.monotonic()` will show that, give or take its reads."""
        micros = round((monotonic - time.monotonic()) * 1e6)
        return self._clock.instant + tied(micros)

    def _drop(self, sleeper: _Sleeper) -> None:
        if sleeper in self._sleepers:
            self._sleepers.remove(sleeper)

    def next_instant(self) -> int | None:
        if not self._sleepers:
            return None
        if self._asked != self._written():
            self._asked = self._written()
            self._look()
        self._look_for_trouble()
        return min((one.woken for one in self._sleepers if one.woken is not None), default=None)

    def _look_for_trouble(self) -> None:
        trouble = self._next_trouble(self._clock.instant)
        for sleeper in self._sleepers if trouble is not None else ():
            if sleeper.troubled is None or sleeper.troubled < self._clock.instant:
                assert trouble is not None
                sleeper.troubled = sleeper.first_from(max(trouble, self._clock.instant + 1))

    def _look(self) -> None:
        waiting = [sleeper for sleeper in self._sleepers if not sleeper.ended]
        if not waiting:
            return
        marks = ", ".join("?" * len(waiting))
        running = {
            row[0]
            for row in self._database.execute(
                f"select id from flow_run where id in ({marks})"
                " and state_type not in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')",
                [sleeper.flow_run_id for sleeper in waiting],
            )
        }
        for sleeper in waiting:
            if sleeper.flow_run_id not in running:
                sleeper.ended = True
                # A poll of this instant has been before: the end takes its time, if no virtual one.
                sleeper.due = sleeper.first_from(self._clock.instant + 1)

    def fire(self) -> None:
        due = [(one.woken, one) for one in self._sleepers if one.woken is not None]
        when, first = min(due, key=lambda item: item[0])
        self._sleepers.remove(first)
        self._clock.catch_up(first.shown + when - first.began)
        first.wake()
