"""The working directory of a process, and its umask.

On Linux a thread may have these to itself (`unshare(CLONE_FS)`), and what it starts, threads and
children, has them with it: just what a process is. So C code, relative paths in DuckDB or SQLite
included, sees them as well. Where a thread may not, on other systems and in some containers, they
are the whole simulation's, which is told when a run changes directory.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path

from simulator.process.own import Own
from simulator.process.processes import Process, current_process

_CLONE_FS = 0x200


class Directory:
    """Whether the working directory is the process's own; `thread` is its main thread, by the
    system's number.
    """

    def __init__(self) -> None:
        self.own = False
        self.thread: int | None = None


directory = Own(lambda _: Directory())


def begin(process: Process, working_directory: str | os.PathLike[str] | None) -> None:
    """Give the calling thread, the main thread of a process that begins, a directory of its own."""
    held = directory.of(process)
    held.thread = threading.get_native_id()
    held.own = _unshare()
    if working_directory is not None and held.own:
        os.chdir(working_directory)


def _unshare() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).unshare(_CLONE_FS) == 0)
    except (OSError, AttributeError):
        return False


def directory_for_children() -> str | None:
    """The directory of the current process, if that of the calling thread may be another one."""
    process = current_process()
    if process is None or process.thread is threading.current_thread():
        return None
    held = directory.of(process)
    if not held.own or not process.alive:
        return None
    try:
        return str(Path(f"/proc/self/task/{held.thread}/cwd").readlink())
    except OSError:
        return None
