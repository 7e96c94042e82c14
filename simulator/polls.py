"""What `run_deployment` waits for, without the polls that cannot see anything new.

`run_deployment` reads the state of its flow run every five seconds and sleeps in between. Reading it
again before it is final cannot change the answer, so a sleeper is woken at its first poll after the
run has ended, or after its own time-out.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from simulator import patches
from simulator.clock import VirtualClock, Wait, to_micros
from simulator.runnable import counted


@dataclass(eq=False)
class _Sleeper:
    flow_run_id: str
    began: int
    interval: int
    deadline: int | None
    wake: Callable[[], object]
    ended: bool = False

    def due(self, now: int) -> int | None:
        """The instant of the first poll that can tell something new."""
        if self.ended:
            return self._poll_at(now)
        return None if self.deadline is None else self._poll_at(self.deadline)

    def _poll_at(self, earliest: int) -> int:
        polls = -(-(earliest - self.began) // self.interval)
        return self.began + max(1, polls) * self.interval


class DeploymentPolls:
    """All sleepers between two polls of `run_deployment`. A source of the clock's events."""

    def __init__(
        self, clock: VirtualClock, database: sqlite3.Connection, written: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._database = database
        self._written = written
        self._asked = -1
        self._sleepers: list[_Sleeper] = []

    def sleep(self, frame: FrameType, seconds: float) -> bool:
        """Sleep in place of `run_deployment`, if `frame` is its own. Called by counted threads."""
        hold = counted()
        polled = patches.polled_by(frame)
        if polled is None or hold is None:
            return False
        flow_run_id, deadline = polled
        wait = Wait(self._clock, hold)
        now = to_micros(self._clock.now)
        until = None
        if deadline is not None:
            until = now + max(0, round((deadline - time.monotonic()) * 1e6))
        sleeper = self._add(flow_run_id, now, seconds, until, lambda: self._clock.wake(wait))
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

        sleeper = self._add(
            flow_run_id,
            to_micros(self._clock.now),
            seconds,
            None,
            lambda: loop.call_soon_threadsafe(wake),
        )
        try:
            await woken
        finally:
            self._drop(sleeper)

    def _add(
        self,
        flow_run_id: str,
        now: int,
        seconds: float,
        deadline: int | None,
        wake: Callable[[], object],
    ) -> _Sleeper:
        sleeper = _Sleeper(flow_run_id, now, max(1, round(seconds * 1e6)), deadline, wake)
        self._sleepers.append(sleeper)
        self._asked = -1
        return sleeper

    def _drop(self, sleeper: _Sleeper) -> None:
        if sleeper in self._sleepers:
            self._sleepers.remove(sleeper)

    def next_instant(self) -> int | None:
        if not self._sleepers:
            return None
        if self._asked != self._written():
            self._asked = self._written()
            self._look()
        now = to_micros(self._clock.now)
        return min(
            (due for sleeper in self._sleepers if (due := sleeper.due(now)) is not None),
            default=None,
        )

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
            sleeper.ended = sleeper.flow_run_id not in running

    def fire(self) -> None:
        now = to_micros(self._clock.now)
        due = [(sleeper.due(now), sleeper) for sleeper in self._sleepers]
        _, first = min(
            ((when, sleeper) for when, sleeper in due if when is not None),
            key=lambda item: item[0],
        )
        self._sleepers.remove(first)
        first.wake()
