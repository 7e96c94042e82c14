"""The signals of a process: what it does about each, its alarm, and how one reaches its main thread.

A handler runs in the main thread of the process. Where that thread waits, it leaves its wait for as
long as the handler takes and then waits on, as in Python: a signal ends a wait only if its handler
raises. Where it is busy, the handler runs when it waits next.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from simulator.clock import Hold, Timer, VirtualClock, Wait
from simulator.errors import UnsupportedOperation
from simulator.process.own import Own
from simulator.process.processes import Process

Handler = Callable[[int, FrameType | None], Any] | int | None

IGNORED_BY_DEFAULT = {signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT}
UNSTOPPABLE = {signal.SIGKILL, signal.SIGSTOP}


class Signals:
    """What one process does about signals.

    `handlers` has those that differ from Python's own at the start of a process.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.clock: VirtualClock = process.clock
        self._handlers: dict[int, Handler] = {
            signal.SIGINT: signal.default_int_handler,
            signal.SIGPIPE: signal.SIG_IGN,
            signal.SIGXFSZ: signal.SIG_IGN,
        }
        self._alarm: tuple[Timer, float, float] | None = None  # with its end and its interval
        self._pauses: list[Wait] = []

    # -- what the process does about them -----------------------------------------------------------

    def handler(self, signum: int) -> Handler:
        """As `signal.getsignal`."""
        return self._handlers.get(signal.Signals(signum), signal.SIG_DFL)

    def handle(self, signum: int, handler: Handler) -> Handler:
        """As `signal.signal`: its result, and its errors."""
        number = signal.Signals(signum)
        if self._process.thread is not threading.current_thread():
            raise ValueError("signal only works in main thread of the main interpreter")
        if number in UNSTOPPABLE:
            raise OSError(22, "Invalid argument")
        if not callable(handler) and handler not in (signal.SIG_DFL, signal.SIG_IGN):
            raise TypeError(
                "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"
            )
        before = self.handler(number)
        self._handlers[number] = handler
        return before

    def listen(self, signum: int, handler: Handler) -> None:
        """Let an event loop hear of a signal; SIG_DFL when it no longer does."""
        self._handlers[signal.Signals(signum)] = handler

    # -- how they come -------------------------------------------------------------------------------

    def send(self, signum: int) -> None:
        """Send the process a signal, from wherever."""
        process = self._process
        if signum == 0 or not process.alive:
            return
        number = signal.Signals(signum)
        handler = self.handler(number)
        if number == signal.SIGSTOP:
            raise UnsupportedOperation("SIGSTOP: a simulated process cannot be stopped for a while")
        if number != signal.SIGKILL:
            if handler == signal.SIG_IGN:
                return
            if handler == signal.SIG_DFL and number in IGNORED_BY_DEFAULT:
                return
        if number == signal.SIGKILL or not callable(handler):
            process.exit(-number)
        elif process.thread.ident is None:  # nothing in it has begun
            process.kill(-number)
        else:
            self._call(handler, number)

    def _call(self, handler: Callable[[int, FrameType | None], Any], number: int) -> None:
        def call() -> None:
            try:
                handler(number, sys._getframe(1))
            finally:
                self._end_pauses()

        if self._process.thread is threading.current_thread():
            call()
        else:
            hold = self._process.hold
            assert hold is not None
            self.clock.interject(hold, call)

    def pause(self, hold: Hold) -> None:
        """Wait, as `signal.pause`, until a handler has run."""
        wait = Wait(self.clock, hold)
        self._pauses.append(wait)
        self.clock.park(wait)

    def _end_pauses(self) -> None:
        pauses, self._pauses = self._pauses, []
        for wait in pauses:
            self.clock.wake(wait)

    # -- the alarm ----------------------------------------------------------------------------------

    def alarm(self, seconds: int) -> int:
        """As `signal.alarm`: seconds that were left of the one before."""
        left, _ = self.set_timer(float(int(seconds)), 0.0)
        return math.ceil(left)

    def set_timer(self, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        """As `signal.setitimer(ITIMER_REAL, ...)`, in virtual seconds."""
        if seconds < 0 or interval < 0:
            raise signal.ItimerError(22, "Invalid argument")
        before = self.timer()
        self.cancel_timer()
        if seconds:
            self._start_timer(seconds, interval)
        return before

    def timer(self) -> tuple[float, float]:
        """As `signal.getitimer(ITIMER_REAL)`."""
        if self._alarm is None:
            return 0.0, 0.0
        _, end, interval = self._alarm
        return max(0.0, (end - self.clock.instant) / 1e6), interval

    def cancel_timer(self) -> None:
        if self._alarm is not None:
            self._alarm[0].cancel()
            self._alarm = None

    def _start_timer(self, seconds: float, interval: float) -> None:
        end = self.clock.instant + seconds * 1e6

        def fire() -> None:
            self._alarm = None
            if interval:
                self._start_timer(interval, interval)
            self.send(signal.SIGALRM)

        self._alarm = self.clock.call_later(seconds, fire), end, interval


signals = Own(Signals)
