"""What is called in a simulation by nobody's process, such as a flow in a test: a script's of its own.

It runs in a process of its own, as `Simulation.run` runs a flow, and whoever has called it lets time
pass until it has ended. So it takes the virtual time that it would take there.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from simulator.clock import VirtualClock, counted
from simulator.errors import SimulationError
from simulator.process.processes import Process


class Scripts:
    """Runs calls as scripts, on one clock. `context` has the settings of the simulation, and
    `seed(name)` is where the random numbers of the next one of this name begin.
    """

    def __init__(
        self, clock: VirtualClock, context: contextvars.Context, seed: Callable[[str], str]
    ) -> None:
        self._clock = clock
        self._context = context
        self._seed = seed

    def wanted(self) -> bool:
        """Whether the calling thread is none of a simulated process: what it calls needs one."""
        return counted() is None

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        """Call in a process of its own, and let time pass until that has ended.

        Returns what `call` returns, and raises what it raises. Raises as `VirtualClock.drive` does.
        """
        script = self._start(name, call)
        if self._clock.driver in (None, threading.get_ident()):
            self._clock.drive(None, done=lambda: not script.process.alive)
        else:
            script.process.thread.join()  # somebody else lets time pass
        return script.outcome()

    async def arun(self, name: str, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """As `run`, from an event loop on real time: one event after the other, and what else that
        loop has to do in between, such as another call of this kind.
        """
        script = self._start(name, lambda: asyncio.run(call()))
        while script.process.alive:
            await asyncio.sleep(0)
            looked = iter((False, True))
            self._clock.drive(None, done=lambda: not script.process.alive or next(looked))  # noqa: B023
        return script.outcome()

    def _start(self, name: str, call: Callable[[], Any]) -> _Script:
        # The caller's tags, settings and transactions; a thread of a test has none of them.
        home = threading.get_ident() == self._clock.home
        context = contextvars.copy_context() if home else self._context
        script = _Script(name, call)
        script.process = Process(name, script.main, self._clock, context, seed=self._seed(name))
        script.process.start()
        return script


class _Script:
    """A process that makes one call, and what came of it."""

    process: Process

    def __init__(self, name: str, call: Callable[[], Any]) -> None:
        self._name = name
        self._call = call
        self._returned: list[Any] = []
        self._raised: list[BaseException] = []

    def main(self) -> None:
        try:
            self._returned.append(self._call())
        except BaseException as error:
            self._raised.append(error)
            raise

    def outcome(self) -> Any:
        for error in self._raised:
            raise error
        if not self._returned:
            raise SimulationError(
                f"{self._name} has ended its process, with exit code {self.process.returncode}"
            )
        return self._returned[0]
