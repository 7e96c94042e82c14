"""Gives files that are written in a simulation the virtual time at which they were.

The kernel stamps files with the machine's time, and `os.stat` (so `getmtime`, `Path.stat`, `glob`,
`shutil`), `lstat`, `fstat` and the entries of `scandir` show it. Here they show, of a stamp from the
time since the simulation began, what the clock showed then: the clock notes the machine's time of each
of its jumps, and a stamp falls between two of them. What `os.utime` has set is left as it is, and so are
files from before the simulation. Python's own imports see the true stamps, by which they know what they
have compiled.

Linux stamps with a clock that stands still for some milliseconds, in which a simulation may jump by
days. So before it jumps, that clock is waited for if a file has been opened for writing since the last
jump, was open then or is still, or if a path has been made, moved, cut or removed. What native code
writes (pyarrow, polars, DuckDB's `copy`) is not noticed: if the stamp falls into such a gap, that is
told.
"""

from __future__ import annotations

import io
import os
import sys
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from stat import S_ISREG
from types import FrameType
from typing import Any
from weakref import WeakSet

from simulator import caveats
from simulator.cfunctions import calling, copied, overriding, own
from simulator.clock import VirtualClock
from simulator.instants import Real
from simulator.places import is_ours

_COARSE = getattr(time, "CLOCK_REALTIME_COARSE", 5 if sys.platform == "linux" else None)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Ages:
    """What the clock of a simulation showed when a file was stamped."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._tick = int(time.clock_getres(_COARSE) * 1e9) if _COARSE is not None else 0
        self.began = self._apart_from_here()
        # The machine's time of each jump in nanoseconds, and whether stamps of before and after it
        # can be told apart.
        self._jumps = array("q")
        self._apart = bytearray()
        self._noticed = False
        self._open: WeakSet[Any] = WeakSet()
        self._descriptors: dict[int, tuple[int, int]] = {}
        self._written: set[tuple[int, int]] = set()
        self.set_by_hand: dict[tuple[int, int], int] = {}

    def _coarse(self) -> int:
        return _gettime(time.CLOCK_REALTIME if _COARSE is None else _COARSE)

    def opened(self, file: Any) -> None:
        """A file has been opened for writing: an object, or the number of a descriptor."""
        self._noticed = True
        if not isinstance(file, int):
            self._open.add(file)
            found = real_fstat(file.fileno())
        else:
            found = real_fstat(file)
            self._descriptors[file] = (found.st_dev, found.st_ino)
        self._written.add((found.st_dev, found.st_ino))

    def changed(self) -> None:
        """A path has been stamped, or the folder that it is in."""
        self._noticed = True

    def about_to_jump(self) -> None:
        is_open = any(not file.closed for file in self._open) or self._holds_descriptors()
        apart = self._noticed or is_open
        self._noticed = is_open  # it may be written to and closed before the next jump
        self._jumps.append(self._apart_from_here() if apart else self._coarse())
        self._apart.append(apart)

    def _holds_descriptors(self) -> bool:
        """Whether one of the descriptors that files were opened by is still that file's."""
        for descriptor, file in list(self._descriptors.items()):
            try:
                found = real_fstat(descriptor)
            except OSError:
                found = None
            if found is None or (found.st_dev, found.st_ino) != file:
                del self._descriptors[descriptor]
        return bool(self._descriptors)

    def _apart_from_here(self) -> int:
        """Wait until stamps will be later than all so far. Returns what lies between them."""
        now = _gettime(time.CLOCK_REALTIME)
        while self._coarse() < now:
            Real.sleep(self._tick / 8e9)
        return now

    def shown(self, stamp: int, file: tuple[int, int], regular: bool, asker: FrameType) -> int:
        """What the clock showed at a stamp of a file; both in nanoseconds since the epoch."""
        if stamp < self.began or self.set_by_hand.get(file) == stamp:
            return stamp
        place = bisect_right(self._jumps, stamp)
        if (
            place
            and not self._apart[place - 1]
            and stamp - self._jumps[place - 1] <= self._tick
            and file not in self._written
            and regular
            and not is_ours(asker)
        ):
            caveats.tell("real time", _UNCERTAIN)
        return self._clock.shown_after(place) * 1000


_gettime: Callable[[int], int] = own("clock_gettime_ns")
real_fstat: Callable[[int], os.stat_result] = copied(os.fstat)
real_stat: Callable[..., os.stat_result] = copied(os.stat)
_real_lstat: Callable[..., os.stat_result] = copied(os.lstat)
_real_utime = copied(os.utime)
_real_open = copied(io.open)
real_os_open: Callable[..., int] = copied(os.open)
looked_at: list[Callable[[Any, FrameType], None]] = []
"""Who is told of each path that is looked at, before it is, and from which frame."""
opened_to_write: list[Callable[[int], None]] = []
"""Who is told of each file that is opened to be written, and not to be read as well: its descriptor."""


opened_to_read: list[Callable[[Any], None]] = []
"""Who is told of each file that is opened to be read: its path, or the number of a descriptor."""


def _tell(descriptor: int) -> None:
    for told in opened_to_write:
        told(descriptor)


def _tell_reading(path: Any) -> None:
    for told in opened_to_read:
        told(path)


@contextmanager
def told_of_reading(told: Callable[[Any], None]) -> Iterator[None]:
    """Tell somebody of each file that is opened to be read, until this ends."""
    opened_to_read.append(told)
    try:
        yield
    finally:
        opened_to_read.remove(told)


def _look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for told in looked_at:
        told(args[0] if args else kwargs.get("path", kwargs.get("file")), sys._getframe(3))


_STAMPING: dict[str, Callable[..., Any]] = {
    name: copied(vars(os)[name])
    for name in (
        *("truncate", "ftruncate", "mkdir", "rmdir", "symlink", "link", "rename", "replace"),
        *("unlink", "remove", "chmod", "fchmod", "chown", "fchown", "lchown", "mkfifo", "mknod"),
        *("setxattr", "removexattr"),
    )
    if hasattr(os, name)
}
"""The functions of `os` that stamp what they are given, or the folder that it is in."""

_FIELDS = ("atime", "mtime", "ctime")
_OTHERS = ("st_blksize", "st_blocks", "st_rdev", "st_flags", "st_gen", "st_birthtime")


@contextmanager
def virtual_ages(clock: VirtualClock) -> Iterator[None]:
    """Let what is written from here on be as old as the clock says, until this ends."""
    ages = _Ages(clock)

    def translated(found: os.stat_result, caller: int = 3) -> os.stat_result:
        if found.st_ctime_ns < ages.began and found.st_mtime_ns < ages.began:
            return found
        asker = sys._getframe(caller)
        if asker.f_code.co_filename.startswith("<frozen importlib"):
            return found
        file, regular = (found.st_dev, found.st_ino), S_ISREG(found.st_mode)
        values = list(found)
        more = {name: getattr(found, name) for name in _OTHERS if hasattr(found, name)}
        for place, name in enumerate(_FIELDS, start=7):
            stamp = ages.shown(getattr(found, f"st_{name}_ns"), file, regular, asker)
            values[place] = stamp // 10**9
            more |= {f"st_{name}": stamp / 1e9, f"st_{name}_ns": stamp}
        return os.stat_result(values, more)

    def stat(*args: Any, **kwargs: Any) -> os.stat_result:
        _look(args, kwargs)
        return translated(real_stat(*args, **kwargs))

    def lstat(*args: Any, **kwargs: Any) -> os.stat_result:
        _look(args, kwargs)
        return translated(_real_lstat(*args, **kwargs))

    def fstat(*args: Any, **kwargs: Any) -> os.stat_result:
        return translated(real_fstat(*args, **kwargs))

    def entry_stat(entry: Any, **kwargs: Any) -> os.stat_result:
        return translated(real_entry_stat(entry, **kwargs), caller=2)

    def utime(path: Any, *args: Any, **kwargs: Any) -> None:
        _real_utime(path, *args, **kwargs)
        where = {name: value for name, value in kwargs.items() if name not in ("times", "ns")}
        found = real_fstat(path) if isinstance(path, int) else real_stat(path, **where)
        file = (found.st_dev, found.st_ino)
        if (args and args[0] is not None) or kwargs.get("times") or kwargs.get("ns"):
            ages.set_by_hand[file] = found.st_mtime_ns
        else:
            ages._noticed = True
            ages._written.add(file)

    def opened(*args: Any, **kwargs: Any) -> Any:
        _look(args, kwargs)
        file = _real_open(*args, **kwargs)
        mode = args[1] if len(args) > 1 else kwargs.get("mode", "r")
        if set(mode) & set("wax+"):
            ages.opened(file)
            if "+" not in mode:
                _tell(file.fileno())
        if set(mode) & set("r+"):
            _tell_reading(args[0] if args else kwargs["file"])
        return file

    def os_opened(*args: Any, **kwargs: Any) -> int:
        descriptor: int = real_os_open(*args, **kwargs)
        flags = args[1] if len(args) > 1 else kwargs["flags"]
        if flags & _WRITING:
            ages.opened(descriptor)
            if flags & os.O_WRONLY:
                _tell(descriptor)
        if not flags & os.O_WRONLY:
            _tell_reading(args[0] if args else kwargs["path"])
        return descriptor

    def stamping(real: Callable[..., Any]) -> Callable[..., Any]:
        def stamped(*args: Any, **kwargs: Any) -> Any:
            ages.changed()
            return real(*args, **kwargs)

        return stamped

    real_entry_stat = os.DirEntry.stat
    led: list[tuple[Any, Callable[..., Any]]] = [
        (os.stat, stat),
        (os.lstat, lstat),
        (os.fstat, fstat),
        (os.utime, utime),
        (io.open, opened),
        (os.open, os_opened),
        *((vars(os)[name], stamping(real)) for name, real in _STAMPING.items()),
    ]
    clock.about_to_jump = ages.about_to_jump  # type: ignore[method-assign]
    try:
        with calling(led), overriding([(os.DirEntry, {"stat": entry_stat})]):
            yield
    finally:
        del clock.about_to_jump


_UNCERTAIN = (
    "a file that native code has written shows a time that may be that of the next event: write it"
    " through open()"
)
