"""Lets what simulated processes write to files find the disk full, as long as a fault says so.

A file that a process opens for writing alone has its descriptor led to `/dev/full`: it is made or
emptied, as on a full disk, and the operating system then refuses whatever is written to it, by `write`,
`flush` or `close`, `os.write` or `os.sendfile`. What a process had open before is not reached, nor what
native code opens.

`simulator.patches.files` tells it of opened files. `tests/faults/test_full_disks.py` fails without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from simulator.patches import files
from simulator.process import current_process

FULL = "/dev/full"
"""What Linux has for it: a file on which nothing can be written, for want of space."""


class FullDisks:
    """The folders whose disk is full now."""

    def __init__(self) -> None:
        self._folders: list[Path] = []

    def fill(self, folder: Path) -> None:
        self._folders.append(folder.resolve())

    def free(self, folder: Path) -> None:
        self._folders.remove(folder.resolve())

    def opened(self, descriptor: int) -> None:
        """Let a process that has opened a file find its disk full, if it is."""
        if not self._folders or current_process() is None:
            return
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if any(path.is_relative_to(folder) for folder in self._folders) and _is_file(descriptor):
            full = files.real_os_open(FULL, os.O_WRONLY)
            os.dup2(full, descriptor, inheritable=False)
            os.close(full)


@contextmanager
def watched() -> Iterator[FullDisks]:
    """Disks that are told of each file that is opened for writing alone, until this ends."""
    disks = FullDisks()
    files.opened_to_write.append(disks.opened)
    try:
        yield disks
    finally:
        files.opened_to_write.remove(disks.opened)


def _is_file(descriptor: int) -> bool:
    return S_ISREG(files.real_fstat(descriptor).st_mode)
