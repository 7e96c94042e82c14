"""Something of which each process has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from simulator.process.processes import Process, current_process

Thing = TypeVar("Thing")


class Own(Generic[Thing]):
    """A thing of which each simulated process has one, made when it is first asked for.

    What belongs to no process, the test and the server, has what Python itself has.
    """

    def __init__(self, make: Callable[[Process], Thing]) -> None:
        self._make = make

    def of(self, process: Process) -> Thing:
        """That of a process."""
        thing: Thing | None = process.memory.get(self)
        if thing is None:
            thing = process.memory[self] = self._make(process)
        return thing

    def current(self) -> Thing | None:
        """That of the calling code's process; None for what belongs to no process."""
        process = current_process()
        return None if process is None else self.of(process)
