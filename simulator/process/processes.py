"""A process of its own, as threads of this one.

A flow run of a deployment really runs in its own process, and so does a script. What matters of that
is kept here: its main thread, which signals interrupt; its end, with an exit code; its death, after
which nothing of it happens any more; and its memory, where whatever is kept once for each process
finds its place (`simulator.process.own`).
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import signal
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from prefect.exceptions import TerminationSignal

from simulator.clock import Hold, VirtualClock, Wait, counted, start_counted

_current: ContextVar[Process | None] = ContextVar("process", default=None)
_pids = itertools.count(1)


class Process:
    """A process: the thread that runs `main`, and every thread that it starts.

    `ended` is called once at its end, from whatever thread ended it. One that is `supervised` has a
    worker that reports what becomes of it. Its random numbers come from `seed`. What it holds of the
    world outside is let go of by the functions in `releases`, however it ends.
    """

    def __init__(
        self,
        name: str,
        main: Callable[[], object],
        clock: VirtualClock,
        context: contextvars.Context,
        ended: Callable[[], object] = lambda: None,
        supervised: bool = False,
        seed: str = "",
    ) -> None:
        self.pid = next(_pids)
        self.returncode: int | None = None
        self.dead = False
        self.supervised = supervised
        self.seed = seed
        self.memory: dict[Any, Any] = {}
        self.at_exit: list[Callable[[], object]] = []
        self.releases: list[Callable[[], object]] = []
        self.clock = clock
        self.context: contextvars.Context | None = context
        self._main = main
        self._ended = ended
        self._mutex = threading.Lock()
        self.thread = threading.Thread(target=self._run, name=name, daemon=False)

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self.thread.name!r}, exit code {self.returncode}>"

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def start(self) -> None:
        if self.alive:
            start_counted(self.thread, self.clock, self.context, process=self)

    def _run(self) -> None:
        _current.set(self)
        code = 0
        try:
            self._main()
        except SystemExit as end:
            code = exit_code(end)
        except TerminationSignal as end:
            code = -end.signal
        except BaseException:
            code = 1
            if self.clock.closing is not None:
                raise
        if self.clock.closing is None:  # else it has not ended: the simulation has
            for call in self.at_exit:
                call()
            self.dead = True  # its daemons are
            self._end(code)

    def _end(self, returncode: int) -> None:
        with self._mutex:
            first = self.alive
            if first:
                self.returncode = returncode
        if first:
            for release in self.releases:
                release()
            self._ended()

    @property
    def hold(self) -> Hold | None:
        """By which its main thread holds the clock; None before it has been started."""
        record = vars(self.thread).get("_counted")
        return None if record is None else record.hold

    def threads(self) -> list[threading.Thread]:
        """Its threads that have not ended."""
        return [
            thread
            for thread in threading.enumerate()
            if (record := vars(thread).get("_counted")) and record.hold.process is self
        ]

    # -- from outside ------------------------------------------------------------------------------

    def kill(self, returncode: int = -signal.SIGKILL) -> None:
        """End it at once. None of its threads ever runs again, not even to tidy up."""
        self.dead = True
        self._end(returncode)

    def exit(self, returncode: int) -> None:
        """End it from within, as `os._exit` does. Never returns."""
        self.kill(returncode)
        self.stay_dead()

    def stay_dead(self) -> None:
        """Keep the calling thread, which is one of its own, where it is."""
        hold = counted()
        if hold is not None and hold.process is self:
            self.clock.park(Wait(self.clock, hold))

    async def stay_unanswered(self) -> None:
        """Keep what it has asked for, on a loop that serves others as well, until the very end."""
        if self.clock.closing is not None:
            raise _gone()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        _unanswered.append((loop, answer))
        await answer


def exit_code(end: SystemExit) -> int:
    """The exit code of a process that ends by `sys.exit`."""
    return end.code if isinstance(end.code, int) else int(end.code is not None)


_unanswered: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []


def give_up() -> None:
    """Fail everything that dead processes have asked for: the simulation ends."""

    def fail(answer: asyncio.Future[None]) -> None:
        if not answer.done():
            answer.set_exception(_gone())

    while _unanswered:
        loop, answer = _unanswered.pop()
        try:
            loop.call_soon_threadsafe(fail, answer)
        except RuntimeError:
            pass  # it has ended already


def _gone() -> ConnectionError:
    return ConnectionError("the process that has asked is dead")


def outside(context: contextvars.Context) -> contextvars.Context:
    """The same context, belonging to no process from now on: to what serves all of them."""
    context.run(_current.set, None)
    return context


def current_process() -> Process | None:
    """The process to which the calling code belongs; None for what serves all of them."""
    process = _current.get()
    if process is not None:
        return process
    hold: Hold | None = counted()
    owner = None if hold is None else hold.process
    return owner if isinstance(owner, Process) else None
