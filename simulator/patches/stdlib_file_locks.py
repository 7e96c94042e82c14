"""Lets simulated processes lock files against one another, on virtual time.

Python 3.11 to 3.13. `simulator.process.file_locks` says who waits. What is patched, and why:

- `fcntl.flock` belongs to an open file, so that the operating system keeps two runs apart as it is.
  But it waits in real time, and what a run leaves locked would be so for ever.
- `fcntl.lockf`, `os.lockf`, and `fcntl.fcntl` with `F_SETLK`, `F_SETLKW` or `F_GETLK`, belong to a
  process: to all runs at once. In a run they are made to belong to an open file as well (`F_OFD_SETLK`
  of Linux; elsewhere they are told), which the operating system keeps apart from other open files and
  from real processes. A run that opens a file twice goes by the descriptor with which it has locked it
  first.
- `fcntl.fcntl` with `F_OFD_SETLKW` belongs to an open file, and waits in real time.

They are led here wherever they are bound. `filelock`, `portalocker` and `fasteners` are made of these,
and poll with `time.sleep`.

`tests/process/test_file_locks.py` fails without each of them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from simulator import caveats
from simulator.cfunctions import calling, copied
from simulator.clock import VirtualClock
from simulator.process import FileLocks, current_process

_OFD_GETLK, _OFD_SETLK, _OFD_SETLKW = (
    getattr(fcntl, f"F_OFD_{name}", None) for name in ("GETLK", "SETLK", "SETLKW")
)
_RECORD = "hhqqi4x"
"""`struct flock` of Linux: type, whence, start, length, and a process, which must be 0 here."""

NB = fcntl.LOCK_NB
_AT_ONCE = {fcntl.F_SETLKW: fcntl.F_SETLK, _OFD_SETLKW: _OFD_SETLK}
_TYPES = {fcntl.LOCK_SH: fcntl.F_RDLCK, fcntl.LOCK_EX: fcntl.F_WRLCK, fcntl.LOCK_UN: fcntl.F_UNLCK}


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Keep the locks of files apart, for one simulation."""
    real_flock, real_lockf, real_fcntl = map(copied, (fcntl.flock, fcntl.lockf, fcntl.fcntl))
    real_os_lockf = copied(os.lockf)

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
        own: int, descriptor: int, kind: int, place: tuple[int, int, int], blocks: bool
    ) -> None:
        """As the only owner of a part of a file locks it, with `own`, or else with the other one."""
        try:
            apply = partial(set_record, own, kind, *place)
            if kind != fcntl.F_UNLCK:
                locks.lock(own, apply, apply if blocks else None)
                return
            apply()
        except OSError as error:
            if isinstance(error, BlockingIOError) or own == descriptor:
                raise
            locks.unlocked(own)  # it was opened to read only
            lock_record(descriptor, descriptor, kind, place, blocks)
            return
        if place == (os.SEEK_SET, 0, 0):
            locks.unlocked(own)

    def lock_of_process(
        descriptor: int, kind: int, whence: int, start: int, length: int, blocks: bool
    ) -> None:
        own = locks.first_of_process(descriptor)
        place = _absolute(descriptor, whence, start, length)
        lock_record(own, descriptor, kind, place, blocks)

    def lock_in_the_way(descriptor: int, record: bytes) -> bytes:
        """What `F_GETLK` says: the record of a lock that would be in the way of this one."""
        assert _OFD_GETLK is not None
        kind, whence, start, length, _ = _fields(record)
        asked = struct.pack(_RECORD, kind, *_absolute(descriptor, whence, start, length), 0)
        *found, holder = _fields(real_fcntl(locks.first_of_process(descriptor), _OFD_GETLK, asked))
        if found[0] == fcntl.F_UNLCK:
            return struct.pack("h", fcntl.F_UNLCK) + record[2:]
        if holder == -1:  # an open file, of whatever process
            holder = os.getpid()
        return struct.pack(_RECORD, *found, holder)[: len(record)]

    def lockf(fd: Any, cmd: int, length: int = 0, start: int = 0, whence: int = 0, /) -> None:
        kind = _TYPES.get(cmd & ~fcntl.LOCK_NB)
        descriptor = _descriptor(fd)
        if kind is None or descriptor is None:
            real_lockf(fd, cmd, length, start, whence)
            return
        if not _are_apart():
            attempt, block = (
                partial(real_lockf, fd, one, length, start, whence) for one in (cmd | NB, cmd)
            )
            if kind != fcntl.F_UNLCK:
                locks.lock(descriptor, attempt, None if cmd & NB else block)
                return
            block()
            locks.unlocked(descriptor)
            return
        lock_of_process(descriptor, kind, whence, start, length, not cmd & NB)

    def fcntl_(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        descriptor = _descriptor(fd)
        ours = cmd in (fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_GETLK, _OFD_SETLKW)
        if not ours or descriptor is None or not isinstance(arg, bytes):
            return real_fcntl(fd, cmd, arg)
        if not _are_apart():
            if cmd not in _AT_ONCE or _fields(arg)[0] == fcntl.F_UNLCK:
                return real_fcntl(fd, cmd, arg)
            attempt, block = (partial(real_fcntl, fd, one, arg) for one in (_AT_ONCE[cmd], cmd))
            locks.lock(descriptor, attempt, block)
            return arg
        if cmd == fcntl.F_GETLK:
            return lock_in_the_way(descriptor, arg)
        kind, whence, start, length, _ = _fields(arg)
        if cmd == _OFD_SETLKW:
            place = _absolute(descriptor, whence, start, length)
            lock_record(descriptor, descriptor, kind, place, blocks=True)
        else:
            lock_of_process(descriptor, kind, whence, start, length, cmd == fcntl.F_SETLKW)
        return arg

    def os_lockf(fd: int, command: int, length: int, /) -> None:
        if not _are_apart():
            attempt, block = (
                partial(real_os_lockf, fd, one, length) for one in (os.F_TLOCK, command)
            )
            if command == os.F_LOCK:
                locks.lock(fd, attempt, block)
            else:
                block()
            return
        if command == os.F_TEST:
            asked = struct.pack(_RECORD, fcntl.F_RDLCK, os.SEEK_CUR, 0, length, 0)
            if _fields(lock_in_the_way(fd, asked))[0] != fcntl.F_UNLCK:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        kind = fcntl.F_UNLCK if command == os.F_ULOCK else fcntl.F_WRLCK
        lock_of_process(fd, kind, os.SEEK_CUR, 0, length, command == os.F_LOCK)

    led: list[tuple[Any, Any]] = [
        (fcntl.flock, flock),
        (fcntl.lockf, lockf),
        (fcntl.fcntl, fcntl_),
        (os.lockf, os_lockf),
    ]
    with calling(led):
        yield


def _fields(record: bytes) -> tuple[int, int, int, int, int]:
    """Type, whence, start, length and process, of a record that may lack what comes last."""
    whole = record.ljust(struct.calcsize(_RECORD), b"\0")
    kind, whence, start, length, process = struct.unpack_from(_RECORD, whole)
    return kind, whence, start, length, process


def _absolute(descriptor: int, whence: int, start: int, length: int) -> tuple[int, int, int]:
    """A part of a file without respect to where a descriptor is in it."""
    if whence != os.SEEK_CUR:
        return whence, start, length
    return os.SEEK_SET, start + os.lseek(descriptor, 0, os.SEEK_CUR), length


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
