"""Which process has locked which file, and who waits for it in virtual time.

The operating system keeps the locks themselves: whatever has locked a file, here or in a real process,
it is the one that refuses. What it does not know is which simulated process a descriptor belongs to, so
that its locks are gone when that has ended; and that a thread which waits for a lock held through a
virtual sleep must let time pass. Such a thread is parked, and whenever nothing can run the lock is
tried for it, in the order of arrival: it does not matter by what it has come free.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from simulator.clock import Hold, Mutex, VirtualClock, Wait, wait_for, waiter
from simulator.instants import Real
from simulator.process.processes import Process, current_process

File = tuple[int, int]

LOOK_SECONDS = 0.05
"""How often one looks for a lock that a real process holds, in real seconds."""


@dataclass(frozen=True)
class _Held:
    file: File
    process: Process | None
    thread: int


class FileLocks:
    """The locks of files in one simulation. `unlock` takes all from a descriptor."""

    def __init__(self, clock: VirtualClock, unlock: Callable[[int], object]) -> None:
        self._clock = clock
        self._unlock = unlock
        self._held: dict[int, _Held] = {}  # by descriptor
        self._waiting: deque[tuple[Wait, Callable[[], object]]] = deque()
        self._known: set[Process] = set()
        self._mutex = Mutex()
        clock.overlooked.append(self._wake_next)

    def lock(
        self, descriptor: int, attempt: Callable[[], object], block: Callable[[], object] | None
    ) -> None:
        """Lock a file by `attempt`, which raises BlockingIOError while it is another's.

        `block` waits for it in real time, as whoever is no part of the simulation does; None if the
        caller does not want to wait.
        """
        try:
            attempt()
        except BlockingIOError:
            if block is None:
                raise
            hold = waiter(self._clock)
            if hold is None:
                block()
            else:
                self._wait(_file(descriptor), hold, attempt)
        self._note(descriptor)

    def unlocked(self, descriptor: int) -> None:
        """A descriptor holds nothing any more."""
        with self._mutex:
            self._held.pop(descriptor, None)

    def first_of_process(self, descriptor: int) -> int:
        """By which descriptor the caller's process has locked the same file before, if it has."""
        file, process = _file(descriptor), current_process()
        with self._mutex:
            return next(
                (
                    one
                    for one, held in self._held.items()
                    if held.process is process and held.file == file and _is_open(one, file)
                ),
                descriptor,
            )

    def _note(self, descriptor: int) -> None:
        process = current_process()
        with self._mutex:
            self._held[descriptor] = _Held(_file(descriptor), process, threading.get_ident())
            new = process is not None and process not in self._known
            if process is not None and new:
                self._known.add(process)
                process.releases.append(lambda: self._let_go(process))

    def _let_go(self, process: Process) -> None:
        with self._mutex:
            held = [(one, it.file) for one, it in self._held.items() if it.process is process]
            for descriptor, file in held:
                del self._held[descriptor]
                if _is_open(descriptor, file):
                    self._unlock(descriptor)

    # -- waiting -----------------------------------------------------------------------------------

    def _wait(self, file: File, hold: Hold, attempt: Callable[[], object]) -> None:
        while self._holder(file) is None and not hold.dead and self._clock.closing is None:
            Real.sleep(LOOK_SECONDS)  # a real process has it
            try:
                attempt()
            except BlockingIOError:
                continue
            return
        wait = Wait(self._clock, hold, lambda: self._holder(file))
        entry = wait, attempt
        with self._mutex:
            self._waiting.append(entry)
        try:
            wait_for(wait)
        finally:
            with self._mutex:
                self._waiting.remove(entry)

    def _holder(self, file: File) -> int | None:
        """The thread of the simulation that has locked a file."""
        with self._mutex:
            return next(
                (
                    held.thread
                    for descriptor, held in self._held.items()
                    if held.file == file and _is_open(descriptor, file)
                ),
                None,
            )

    def _wake_next(self) -> bool:
        """Wake the first one that gets its lock now. Whether there was one."""
        if not self._waiting:
            return False
        with self._mutex:
            waiting = [one for one in self._waiting if not one[0].woken and not one[0].hold.dead]
        for wait, attempt in waiting:
            try:
                attempt()
            except BlockingIOError:
                continue
            except OSError as error:
                return self._clock.wake(wait, error)
            return self._clock.wake(wait)
        return False


def _file(descriptor: int) -> File:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _is_open(descriptor: int, file: File) -> bool:
    try:
        return _file(descriptor) == file
    except OSError:
        return False
