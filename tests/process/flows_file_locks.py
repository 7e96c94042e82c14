"""Flows at the top level of a module that lock files."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from datetime import UTC, datetime
from fcntl import flock, lockf
from functools import partial

from filelock import FileLock, Timeout
from prefect import flow, task

KEPT = []
LOCKER = fcntl.flock  # as portalocker has it


class Locker:
    lock = fcntl.flock
    lock_record = lockf


def lock_by_default(file, operation, lock=fcntl.lockf):
    lock(file, operation)


WAYS = {
    "by another name": LOCKER,
    "in a class": Locker.lock,
    "lockf in a class": Locker().lock_record,
    "a partial": partial(fcntl.flock),
    "in a dictionary": {"lock": flock}["lock"],
    "a default": lock_by_default,
}


def take(path, how, nb, shared, timeout):
    """Lock a file. Returns what unlocks it."""
    if how == "filelock":
        lock = FileLock(path, timeout=timeout)
        lock.acquire()
        return lock.release
    file = open(path, "a+")  # noqa: SIM115
    KEPT.append(file)  # nobody closes it: the end of the process does
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (fcntl.LOCK_NB if nb else 0)
    if how == "flock":
        flock(file, operation)
    elif how == "lockf":
        lockf(file, operation)
    elif how == "os.lockf":
        os.lockf(file.fileno(), os.F_TLOCK if nb else os.F_LOCK, 0)
    elif how in WAYS:
        WAYS[how](file, operation)
    elif how == "of an open file":
        record = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLKW, record)
    elif how == "as in Python's manual":
        record = struct.pack("hhllhh", fcntl.F_WRLCK, 0, 0, 0, 0, 0)
        assert fcntl.fcntl(file, fcntl.F_SETLKW, record) == record
    else:
        record = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, fcntl.F_SETLK if nb else fcntl.F_SETLKW, record)
    return file.close


@flow(log_prints=True)
def locks(
    path: str,
    how: str,
    seconds: float = 0,
    wait: float = 0,
    nb: bool = False,
    shared: bool = False,
    timeout: float = -1,
    end: str = "",
):
    time.sleep(wait)
    began = datetime.now(UTC)
    try:
        unlock = take(path, how, nb, shared, timeout)
    except (BlockingIOError, Timeout) as error:
        print(type(error).__name__, f"after {round((datetime.now(UTC) - began).total_seconds())}")
        return
    print("locked", f"after {round((datetime.now(UTC) - began).total_seconds())}")
    time.sleep(seconds)
    if end == "raises":
        raise ValueError("and leaves its lock")
    if end == "exits":
        os._exit(3)
    if end == "unlocks":
        unlock()
        time.sleep(60)


@flow(log_prints=True)
def locks_in_parts(path: str, start: int, wait: float = 0):
    """Bytes of a file, by two descriptors of one process."""
    time.sleep(wait)
    with open(path, "r+b") as first, open(path, "r+b") as second:
        for file in (first, second):
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, start)
                print(file is first, "locked")
            except BlockingIOError:
                print(file is first, "refused")
        time.sleep(10)
        fcntl.lockf(second, fcntl.LOCK_UN, 10, start)
        time.sleep(10)


@flow(log_prints=True)
def locks_two(first: str, second: str):
    """As two processes do it that end up waiting for each other."""
    with open(first, "w") as one, open(second, "w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        time.sleep(5)
        fcntl.flock(other, fcntl.LOCK_EX)


@flow(log_prints=True)
def locks_among_tasks(path: str):
    """A file's locks keep the threads of one process apart if each opens the file."""
    began = datetime.now(UTC)
    for future in [in_turn.submit(path) for _ in range(3)]:
        future.result()
    print("took", round((datetime.now(UTC) - began).total_seconds()))


@task
def in_turn(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        time.sleep(20)


@flow(log_prints=True)
def asks_for_locks(path: str, holds: bool = False):
    """What `F_GETLK` and `F_TEST` say of the bytes 10 to 19, which one of two holds."""
    with open(path, "r+b") as file:
        if holds:
            fcntl.lockf(file, fcntl.LOCK_EX, 10, 10)
        time.sleep(5)
        for start in (0, 10):
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, 5, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
            kind, whence, first, length, process = struct.unpack("hhqqi4x", answer)
            if kind == fcntl.F_UNLCK:
                print(start, "free")
            else:
                print(start, kind == fcntl.F_WRLCK, whence, first, length, process == os.getpid())
            file.seek(start)
            try:
                os.lockf(file.fileno(), os.F_TEST, 5)
                print("may lock")
            except PermissionError:
                print("may not lock")
        time.sleep(5)
