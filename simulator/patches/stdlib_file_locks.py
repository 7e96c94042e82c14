"""Lets simulated processes lock files against one another, on virtual time.

Python 3.11 to 3.13. `simulator.process.file_locks` says who waits. What is patched, and why:

- `fcntl.flock` belongs to an open file, so that the operating system keeps two runs apart as it is.
  But it waits in real time, and what a run leaves locked would be so for ever.
- `fcntl.lockf`, `os.lockf`, and `fcntl.fcntl` with `F_SETLK` or `F_SETLKW`, belong to a process: to
  all runs at once. In a run they are made to belong to an open file as well (`F_OFD_SETLK` of Linux;
  elsewhere they are told), which the operating system keeps apart from other open files and from real
  processes. A run that opens a file twice goes by the descriptor with which it has locked it first.

They are replaced by name, also where they have been imported. `filelock`, `portalocker` and `fasteners`
are made of these, and poll with `time.sleep`. What is bound elsewhere, as in a class, is as it was.

`tests/process/test_file_locks.py` fails without each of them.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from typing import Any

from simulator import caveats
from simulator.clock import VirtualClock
from simulator.patches.replacing import replacing, wherever_imported
from simulator.process import FileLocks, current_process

_OFD_SETLK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_RECORD = "hhqqi4x"
"""`struct flock` of Linux: type, whence, start, length, and a process, which must be 0 here."""

_TYPES = {fcntl.LOCK_SH: fcntl.F_RDLCK, fcntl.LOCK_EX: fcntl.F_WRLCK, fcntl.LOCK_UN: fcntl.F_UNLCK}


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Keep the locks of files apart, for one simulation."""
    real_flock, real_lockf, real_fcntl = fcntl.flock, fcntl.lockf, fcntl.fcntl
    real_os_lockf = os.lockf

    def unlock(descriptor: int) -> None:
        for release in (
            partial(real_flock, descriptor, fcntl.LOCK_UN),
            partial(set_record, descriptor, fcntl.F_UNLCK, 0, 0, 0),
        ):
            with suppress(OSError):
                release()

    def set_record(descriptor: int, kind: int, whence: int, start: int, length: int) -> None:
        assert _OFD_SETLK is not None
        record = struct.pack(_RECORD, kind, whence, start, length, 0)
        real_fcntl(descriptor, _OFD_SETLK, record)

    locks = FileLocks(clock, unlock)

    @wraps(real_flock)
    def flock(fd: Any, operation: int, /) -> None:
        descriptor = _descriptor(fd)
        if descriptor is None or not operation & (fcntl.LOCK_SH | fcntl.LOCK_EX):
            real_flock(fd, operation)
            if descriptor is not None:
                locks.unlocked(descriptor)
            return
        attempt = partial(real_flock, descriptor, operation | fcntl.LOCK_NB)
        block = partial(real_flock, descriptor, operation)
        locks.lock(descriptor, attempt, None if operation & fcntl.LOCK_NB else block)

    def lock_record(
        descriptor: int, kind: int, whence: int, start: int, length: int, blocks: bool
    ) -> None:
        """As a process locks a part of a file, of which it is the only owner."""
        place = start + (os.lseek(descriptor, 0, os.SEEK_CUR) if whence == os.SEEK_CUR else 0)
        whence = os.SEEK_SET if whence == os.SEEK_CUR else whence
        own = locks.first_of_process(descriptor)
        try:
            apply = partial(set_record, own, kind, whence, place, length)
            if kind != fcntl.F_UNLCK:
                locks.lock(own, apply, apply if blocks else None)
                return
            apply()
        except OSError as error:
            if isinstance(error, BlockingIOError) or own == descriptor:
                raise
            locks.unlocked(own)  # it was opened to read only
            lock_record(descriptor, kind, whence, place, length, blocks)
            return
        if (whence, place, length) == (os.SEEK_SET, 0, 0):
            locks.unlocked(own)

    @wraps(real_lockf)
    def lockf(fd: Any, cmd: int, length: int = 0, start: int = 0, whence: int = 0, /) -> None:
        kind = _TYPES.get(cmd & ~fcntl.LOCK_NB)
        descriptor = _descriptor(fd)
        if kind is None or descriptor is None or not _are_apart():
            real_lockf(fd, cmd, length, start, whence)
            return
        lock_record(descriptor, kind, whence, start, length, not cmd & fcntl.LOCK_NB)

    @wraps(real_fcntl)
    def fcntl_(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        descriptor = _descriptor(fd)
        if (
            cmd not in (fcntl.F_SETLK, fcntl.F_SETLKW)
            or descriptor is None
            or not isinstance(arg, bytes)
            or not _are_apart()
        ):
            return real_fcntl(fd, cmd, arg)
        kind, whence, start, length = struct.unpack_from(_RECORD, arg)[:4]
        lock_record(descriptor, kind, whence, start, length, cmd == fcntl.F_SETLKW)
        return arg

    @wraps(real_os_lockf)
    def os_lockf(fd: int, command: int, length: int, /) -> None:
        if command == os.F_TEST or not _are_apart():
            real_os_lockf(fd, command, length)
            return
        kind = fcntl.F_UNLCK if command == os.F_ULOCK else fcntl.F_WRLCK
        lock_record(fd, kind, os.SEEK_CUR, 0, length, command == os.F_LOCK)

    replaced = wherever_imported(fcntl, {"flock": flock, "lockf": lockf, "fcntl": fcntl_})
    with replacing([*replaced, *wherever_imported(os, {"lockf": os_lockf})]):
        yield


def _are_apart() -> bool:
    """Whether the caller is a simulated process whose records can be kept apart from others'."""
    if current_process() is None:
        return False
    if _OFD_SETLK is None:
        caveats.tell("shared locks", _NOT_APART)
    return _OFD_SETLK is not None


def _descriptor(file: Any) -> int | None:
    """The number of an open file; None if it is none, of which the real function tells."""
    if isinstance(file, int):
        return file
    fileno = getattr(file, "fileno", None)
    return None if fileno is None else fileno()


_NOT_APART = (
    "a lock by fcntl.lockf does not keep runs apart on this operating system: use fcntl.flock or the"
    " package filelock"
)
