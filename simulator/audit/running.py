"""Simulations in processes of their own, several at once, none of them for longer than it may take.

A process that dies, hangs or is ended costs its own answer and nothing else.
"""

from __future__ import annotations

import multiprocessing
import re
import signal
import tempfile
import time
from collections.abc import Generator, Hashable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from simulator.audit.process import Order, main
from simulator.audit.subject import Lived, Subject
from simulator.child_processes import exit_in_words, last_line, signal_group
from simulator.folders import throw_away
from simulator.scenarios import (
    GRACE_SECONDS,
    cores_for,
    prepare,
    start,
    start_method,
)

Work = Mapping[Hashable, Mapping[str, Any] | None]
"""What is to be simulated, by any name: the fault as plain data, None for none."""


@dataclass(frozen=True)
class Answer:
    """What came of one simulation: `lived`, or else the `error` in one line. `refused` tells that it was
    a mistake of the user's. `real_seconds` is what it took on the wall clock.
    """

    name: Any
    lived: Lived | None
    error: str
    refused: bool
    real_seconds: float


@dataclass
class _Process:
    name: Hashable
    process: Any  # multiprocessing's, of the forkserver
    talk: Connection
    order: Order
    began: float
    deadline: float
    """On the real clock: until then it has to have answered; when it has, to be gone."""
    answer: tuple[str, Any] | None = None
    silent: bool = False
    """Whether its end of the connection is closed."""
    overdue: bool = False


class Processes(Protocol):
    """Processes in which a subject lives, somewhere."""

    @property
    def jobs(self) -> int:
        """How many there are at once."""

    def run(self, work: Work) -> Generator[Answer, None, None]:
        """Simulate all of it, and yield each answer when it is there. Closing the iterator ends all."""


class Here:
    """Processes of this machine.

    `jobs` of them at once; each is ended after `limit` real seconds. What they print goes to files in
    the folder `logs`, which has been made.
    """

    def __init__(self, subject: Subject, jobs: int, limit: float, logs: Path) -> None:
        self._subject, self.jobs, self._limit, self._logs = subject, jobs, limit, logs
        self._forks: Any = multiprocessing.get_context(start_method())

    def run(self, work: Work) -> Generator[Answer, None, None]:
        """Simulate all of it, and yield each answer when it is there. Closing the iterator ends all."""
        waiting = list(work.items())
        prepare(self.jobs + 1, self.jobs, ())
        cores = cores_for(len(waiting), self.jobs)
        running: list[_Process] = []
        with throw_away("simulate-") as folder:
            try:
                while waiting or running:
                    while waiting and cores:
                        running.append(self._start(*waiting.pop(0), folder, cores.pop(0)))
                    _listen(running)
                    for one in [one for one in running if not one.process.is_alive()]:
                        running.remove(one)
                        cores.append(one.order.core)
                        yield self._answer(one)
            finally:
                _stop(running)

    def _start(
        self, name: Hashable, fault: Mapping[str, Any] | None, folder: Path, core: int | None
    ) -> _Process:
        log = log_of(name, self._logs)
        log.write_bytes(b"")
        own = Path(tempfile.mkdtemp(dir=folder))
        order = Order(self._subject, fault, own, log, core)
        here, there = self._forks.Pipe()
        process = self._forks.Process(target=main, args=(order, there))
        start(process)
        there.close()
        now = time.monotonic()
        return _Process(name, process, here, order, now, now + self._limit)

    def _answer(self, one: _Process) -> Answer:
        """What an ended process has said, or how it ended if it has said nothing."""
        _hear(one)
        signal_group(one.process.pid, signal.SIGKILL)  # what it has left behind
        one.talk.close()
        seconds = time.monotonic() - one.began
        what, value = one.answer or ("died", self._how_it_died(one))
        if isinstance(value, Lived):
            return Answer(one.name, value, "", False, seconds)
        return Answer(one.name, None, str(value), what == "refused", seconds)

    def _how_it_died(self, one: _Process) -> str:
        if one.overdue:
            return f"it took longer than {self._limit:g} real seconds"
        last = last_line(one.order.log)
        said = f", last saying {last!r}" if last else ""
        return f"its process {exit_in_words(one.process.exitcode)}{said}"


def log_of(name: object, logs: Path) -> Path:
    """The file for what a simulation prints."""
    return logs.absolute() / (re.sub(r"[^\w.-]+", "-", str(name)) + ".log")


def _listen(running: list[_Process]) -> None:
    """Wait until a process says something or ends; end those that have had their time."""
    left = min(one.deadline for one in running) - time.monotonic()
    talking = [one.talk for one in running if one.answer is None and not one.silent]
    ready = wait([*talking, *(one.process.sentinel for one in running)], timeout=max(left, 0.0))
    for one in running:
        if one.talk in ready:
            _hear(one)
        if time.monotonic() > one.deadline:
            one.overdue = one.answer is None
            _kill(one)


def _hear(one: _Process) -> None:
    """Take what a process says, if it says anything."""
    if one.answer is not None or one.silent:
        return
    try:
        if one.talk.poll():
            one.answer = one.talk.recv()
            one.deadline = time.monotonic() + GRACE_SECONDS
    except (EOFError, OSError):
        one.silent = True


def _stop(processes: list[_Process]) -> None:
    """Ask them to stop as Ctrl-C would; end those that do not within the grace."""
    for one in processes:
        signal_group(one.process.pid, signal.SIGINT)
    deadline = time.monotonic() + GRACE_SECONDS
    for one in processes:
        one.process.join(max(0.0, deadline - time.monotonic()))
        _kill(one)
        one.talk.close()


def _kill(one: _Process) -> None:
    """End a process and all that it has started; it leads no group before it has begun."""
    one.process.kill()
    signal_group(one.process.pid, signal.SIGKILL)
    one.process.join()
