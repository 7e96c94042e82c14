"""Throw-away folders that outlive no death: who is killed leaves one, and the next one removes it.

Each is locked by the process that made it, for as long as it lives: by the system, which lets go of the
lock whatever becomes of the process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".in-use"

A_DAY = 86400.0
"""After so many seconds a folder without a lock was made by somebody who died just then."""


@contextmanager
def throw_away(prefix: str, where: Path | None = None) -> Iterator[Path]:
    """A new folder, removed at the end; those that a death has left under this prefix go at once.

    Nothing is imported from it afterwards: what was put on `sys.path` of it is taken out.

    `where`: the system's folder for temporary files, unless given. Call it on real time.
    """
    where = where or Path(tempfile.gettempdir())
    _remove_left(prefix, where)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    lock = _lock(folder)
    try:
        yield folder
    finally:
        sys.path[:] = [one for one in sys.path if not Path(one).is_relative_to(folder)]
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a new folder; nobody sees its lock before it is held."""
    made = folder / f"{LOCK}-new"
    lock = os.open(made, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    made.rename(folder / LOCK)
    return lock


def _remove_left(prefix: str, where: Path) -> None:
    for folder in left_behind(prefix, where):
        shutil.rmtree(folder, ignore_errors=True)


def left_behind(prefix: str, where: Path) -> Iterator[Path]:
    """The folders under this prefix that a death has left. Each is locked while it is looked at."""
    for folder in where.glob(f"{prefix}*"):
        try:
            if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / LOCK, os.O_RDWR)
        except FileNotFoundError:
            if _is_old(folder):
                yield folder
            continue
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)  # somebody lives in it
            continue
        try:
            yield folder
        finally:
            os.close(lock)


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > A_DAY
    except OSError:
        return False
