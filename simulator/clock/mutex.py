"""The simulator's own locks, which stay in real time whatever becomes of everybody else's."""

from __future__ import annotations

import _thread
from typing import Any

_Lock: Any = _thread.LockType
_RLock: Any = _thread.RLock
_acquire, _release = _Lock.acquire, _Lock.release


class Mutex(_RLock):  # type: ignore[misc]  # a class, whatever its stub says
    """A reentrant lock with C's own methods, kept here before `RLock` is given others.

    Reentrant: a finalizer may log, or wake somebody, in the middle of what it guards.
    """

    acquire, release = _RLock.acquire, _RLock.release
    __enter__, __exit__ = _RLock.__enter__, _RLock.__exit__
    owned = _RLock._is_owned  # noqa: SLF001  `Condition` uses it as well


class Gate:
    """Where one thread blocks in real time until another one opens it. It closes behind each."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        _acquire(self._lock)

    def open(self) -> None:
        """Let one through. Raises RuntimeError if it is open already."""
        _release(self._lock)

    def wait(self, seconds: float = -1) -> bool:
        """Block until it is open, or for so many real seconds. Whether it was open."""
        opened: bool = _acquire(self._lock, True, seconds)
        return opened
