"""Bare locks in virtual time: who holds them, who waits for them, and who waits in a circle.

A `threading.Lock` or `RLock` is C's own, and a counted thread that waits for one may wait for a thread
that sleeps in virtual time. So it is parked like any other waiter, in the order of arrival, and woken
when the lock is released; until it has it, nobody else gets it. A lock that a thread of the real world
holds is waited for in real time, and that holds the clock. `simulator.patches.stdlib` puts these in
the place of the locks' own methods.
"""

from __future__ import annotations

import _thread
import re
import threading
from collections import deque
from typing import Any
from weakref import WeakValueDictionary

from simulator.clock.holds import Hold
from simulator.clock.mutex import Mutex
from simulator.clock.virtual import VirtualClock
from simulator.clock.waiting import counted, is_going_on, takes_virtual_time, wait_for, waiter
from simulator.clock.waits import Wait
from simulator.instants import Real

LockType: Any = _thread.LockType
RLockType: Any = _thread.RLock

LOOK_SECONDS = 0.05
"""How often a thread that waits in real time looks whether it should not, in real seconds."""

_acquire, _release, _locked = LockType.acquire, LockType.release, LockType.locked
_reacquire, _rerelease = RLockType.acquire, RLockType.release
_is_owned, _release_save = RLockType._is_owned, RLockType._release_save  # noqa: SLF001  as Condition
_ident = _thread.get_ident


class Locks:
    """The methods of all locks of this process, for the time of one simulation."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._owners: dict[int, int] = {}  # by the identity of a held lock: the thread that has it
        self._queues: dict[int, tuple[Any, deque[Wait]]] = {}
        # By the identity of the lock in which an import of Python waits for another one: its own lock.
        self._imports: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._mutex = Mutex()
        clock.overlooked.append(self._wake_overlooked)

    def methods(self) -> list[tuple[type, dict[str, Any]]]:
        """The types of locks, and their methods of virtual time."""
        owners, queues = self._owners, self._queues

        def acquire(lock: Any, blocking: bool = True, timeout: float = -1) -> bool:
            if timeout == -1 and id(lock) not in queues and _acquire(lock, False):
                owners[id(lock)] = _ident()
                return True
            return self._acquire(lock, blocking, timeout)

        def release(lock: Any, *_: object) -> None:
            owners.pop(id(lock), None)
            _release(lock)
            if id(lock) in queues:
                self._wake_next(lock)

        def reacquire(lock: Any, blocking: bool = True, timeout: float = -1) -> bool:
            mine = timeout == -1 and (id(lock) not in queues or _is_owned(lock))
            if mine and _reacquire(lock, False):
                return True
            return self._acquire(lock, blocking, timeout)

        def rerelease(lock: Any, *_: object) -> None:
            _rerelease(lock)
            if id(lock) in queues and not _is_owned(lock):
                self._wake_next(lock)

        def release_save(lock: Any) -> Any:  # a function, which binds the lock that it is asked of
            return self.release_save(lock)

        def acquire_restore(lock: Any, saved: tuple[int, int]) -> None:
            self.regain(lock, saved[0])

        own = {"acquire": acquire, "release": release, "__enter__": acquire, "__exit__": release}
        old = {"acquire_lock": acquire, "release_lock": release}
        reentrant = {
            "acquire": reacquire,
            "release": rerelease,
            "__enter__": reacquire,
            "__exit__": rerelease,
            "_release_save": release_save,
            "_acquire_restore": acquire_restore,
        }
        return [(LockType, own | old), (RLockType, reentrant)]

    def release_save(self, lock: Any) -> Any:
        """Release an RLock altogether, as `Condition.wait` does. Returns what restores it."""
        saved = _release_save(lock)
        if id(lock) in self._queues:
            self._wake_next(lock)
        return saved

    def importing(self, lock: Any) -> None:
        """A lock of a module that is imported: it knows who holds it. Python takes its `wakeup` twice to
        wait for that.
        """
        self._imports[id(lock.wakeup)] = lock

    def regain(self, lock: Any, times: int = 1) -> None:
        """Acquire a lock after the wait for its condition, whatever is raised meanwhile: it is raised
        when the lock is held again, since who leaves the wait releases it.
        """
        raised: BaseException | None = None
        for _ in range(times):
            taken = False
            while not taken:
                try:
                    taken = lock.acquire()
                except BaseException as error:
                    if counted() is None:  # what drives the clock has found that it cannot go on
                        raise
                    raised = error
                    if self._clock.closing is not None:
                        taken = self._regain_at_the_end(lock)
        if raised is not None:
            raise raised

    def _regain_at_the_end(self, lock: Any) -> bool:
        """Acquire it in real time: whoever holds it is ending too. True also if that has died."""
        while not self._take(lock, True, LOOK_SECONDS):
            owner = self._owner(lock)
            if owner is not None and not is_going_on(owner):
                break
        return True

    # -- waiting -----------------------------------------------------------------------------------

    def _acquire(self, lock: Any, blocking: bool, timeout: float) -> bool:
        """What is left to do when a lock was not to be had at once."""
        if not blocking or (timeout != -1 and not 0 < timeout <= threading.TIMEOUT_MAX):
            if id(lock) in self._queues and timeout == -1:
                return False  # it is another one's
            return self._take(lock, blocking, timeout)
        seconds = None if timeout == -1 else timeout
        hold = waiter(self._clock, seconds)
        # In the middle of what the clock does, nobody may wait for it.
        if hold is None or self._clock.entered or self._mutex.owned():
            return self._take(lock, True, timeout)
        if type(lock) is RLockType and _is_owned(lock):
            return self._take(lock)
        return self._queue_up(lock, hold, seconds)

    def _take(self, lock: Any, blocking: bool = False, timeout: float = -1) -> bool:
        if type(lock) is RLockType:
            return bool(_reacquire(lock, blocking, timeout))
        taken = bool(_acquire(lock, blocking, timeout))
        if taken:
            self._owners[id(lock)] = _ident()
        return taken

    def _queue_up(self, lock: Any, hold: Hold, seconds: float | None) -> bool:
        end = None if seconds is None else self._clock.instant + round(seconds * 1e6)
        real_end = None if seconds is None else Real.monotonic() + seconds
        wait = self._join(lock, hold)
        taken = False
        try:
            while True:
                if self._is_next(lock, wait):
                    taken = self._take(lock)
                    if taken:
                        return True
                    if not self._is_held_virtually(lock) and (
                        real_end is None or Real.monotonic() < real_end
                    ):
                        taken = self._take(lock, True, LOOK_SECONDS)
                        if taken:
                            return True
                        continue
                left = None if end is None else max(0, end - self._clock.instant) / 1e6
                if not wait_for(wait, left):
                    return False
                wait = self._join(lock, hold, instead_of=wait)
        finally:
            self._quit(lock, wait, taken)

    def _join(self, lock: Any, hold: Hold, instead_of: Wait | None = None) -> Wait:
        wait = Wait(self._clock, hold, lambda: self._owner(lock))
        with self._mutex:
            _, queue = self._queues.setdefault(id(lock), (lock, deque()))
            if instead_of is None:
                queue.append(wait)
            else:
                queue[queue.index(instead_of)] = wait
        return wait

    def _quit(self, lock: Any, wait: Wait, taken: bool) -> None:
        with self._mutex:
            _, queue = self._queues[id(lock)]
            queue.remove(wait)
            if not queue:
                del self._queues[id(lock)]
        if queue and not taken:
            self._wake_next(lock)

    def _is_next(self, lock: Any, wait: Wait) -> bool:
        with self._mutex:
            return self._next(lock) is wait

    def _next(self, lock: Any) -> Wait | None:
        _, queue = self._queues.get(id(lock), (None, ()))
        return next((wait for wait in queue if not wait.hold.dead), None)

    def _wake_next(self, lock: Any) -> None:
        with self._mutex:
            wait = self._next(lock)
        if wait is not None:
            self._clock.wake(wait)

    def _wake_overlooked(self) -> bool:
        """Wake one whose lock is free: it was released by a method that was bound before the
        simulation, as a `Condition` binds those of its lock. Whether there was one.
        """
        if not self._queues:
            return False
        with self._mutex:
            waits = [self._next(lock) for lock, _ in self._queues.values() if _is_free(lock)]
        return any(wait is not None and self._clock.wake(wait) for wait in waits)

    # -- who has it --------------------------------------------------------------------------------

    def _owner(self, lock: Any) -> int | None:
        if type(lock) is not RLockType:
            of_module = self._imports.get(id(lock))
            return self._owners.get(id(lock)) if of_module is None else of_module.owner
        found = re.search(r"owner=(\d+)", repr(lock))
        return int(found[1]) if found and found[1] != "0" else None

    def _is_held_virtually(self, lock: Any) -> bool:
        """Whether only virtual time can get it released."""
        owner = self._owner(lock)
        return owner is not None and takes_virtual_time(self._clock, owner)


def _is_free(lock: Any) -> bool:
    if type(lock) is not RLockType:
        return not _locked(lock)
    free = not _is_owned(lock) and bool(_reacquire(lock, False))
    if free:
        _rerelease(lock)
    return free
