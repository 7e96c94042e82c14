"""Lets who looks for what a real process does wait for it in real time, however it is looked for.

`simulator.patches.real_world` has `Popen` and sockets. What is patched here
(Python 3.11 to 3.13), and why:

- `os.waitid`, `wait3` and `wait4` that do not block, as `waitpid` there. Who waits for any child waits
  for those of its own process.
- `_posixsubprocess.fork_exec`, `os.posix_spawn`: by them a process has children. The second is told.
- `os.listdir`, `os.scandir`, and what `simulator.patches.files` tells of (`stat`, `open`): a process
  with a child that goes on looks for what that one writes. Whoever sleeps next waits until it changes.
- `os.read` and the methods of `io.FileIO` that read: of a pipe that does not block and has nothing. Of
  one that blocks, a time-out of the process ends the latter (`simulator.patches.deadlines`).

A process by its number (`os.kill(pid, 0)`) is in `simulator.patches.stdlib_signals`. Nobody waits longer
than `MOST_SECONDS` in real time for what may never come. `tests/clock/test_real_polls.py` fails without
each of them.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from types import FrameType
from typing import Any

from simulator.cfunctions import calling, copied, overriding
from simulator.clock import Asked, asked, counted, is_waiting_really, waiting_really
from simulator.instants import Real
from simulator.patches.deadlines import until_deadline
from simulator.patches.files import looked_at, real_stat
from simulator.patches.told import tell_of_process
from simulator.places import is_for_users, is_users
from simulator.process import Own

MOST_SECONDS = 10.0
"""How long one waits in real time, at most, for a file to change or for a foreign process to end."""

_fork_exec = import_module("_posixsubprocess").fork_exec
_waitid, _wait3, _wait4 = copied(os.waitid), copied(os.wait3), copied(os.wait4)
_SPAWNING = tuple(
    (function, copied(function)) for function in (os.posix_spawn, os.posix_spawnp, _fork_exec)
)
_LISTING = tuple((function, copied(function)) for function in (os.listdir, os.scandir))
_read = copied(os.read)


@contextmanager
def installed() -> Iterator[None]:
    """Let what counted threads look for in vain be waited for in real time."""
    spawned = False

    def spawning(real: Callable[..., int]) -> Callable[..., int]:
        def spawn(*args: Any, **kwargs: Any) -> int:
            nonlocal spawned
            if real.__name__ != "fork_exec":  # by which `Popen` starts what it has told of
                tell_of_process(args[1] if len(args) > 1 else "")
            pid = real(*args, **kwargs)
            if counted() is not None:
                spawned = True
                note_child(pid)
            return pid

        return spawn

    def look(path: Any, asker: FrameType) -> None:
        mine = _mine()
        if not mine or counted() is None:
            return
        # Other threads may start some meanwhile.
        mine.difference_update([pid for pid in tuple(mine) if _has_ended(pid)])
        if mine and (is_for_users(asker) or _is_of(path, mine)):
            asked(_change(path, mine))

    def listing(real: Callable[..., Any]) -> Callable[..., Any]:
        def listed(path: Any = ".") -> Any:
            if spawned:
                look(path, sys._getframe(2))
            return real(path)

        return listed

    def looked(path: Any, asker: FrameType) -> None:
        if spawned:
            look(path, asker)

    looked_at.append(looked)
    try:
        with (
            calling(
                [
                    *((function, spawning(real)) for function, real in _SPAWNING),
                    *((function, listing(real)) for function, real in _LISTING),
                    (os.waitid, _waiting_by_id),
                    (os.wait3, _waiting_for_any),
                    (os.wait4, _waiting_for_one),
                    (os.read, _reading(_read)),
                ]
            ),
            overriding([(io.FileIO, {name: _none_yet(real) for name, real in _FILE_IO.items()})]),
        ):
            yield
    finally:
        looked_at.remove(looked)
        _of_no_process.clear()


_children: Own[set[int]] = Own(lambda _: set())
_of_no_process: set[int] = set()
"""Those of the test itself."""


def _mine() -> set[int]:
    """The real processes that the calling code's process has started."""
    own = _children.current()
    return _of_no_process if own is None else own


def note_child(pid: int) -> None:
    """The calling code's process has started a real process."""
    _mine().add(pid)


def _waiting_by_id(kind: int, number: int, options: int, /) -> Any:
    ended = _waitid(kind, number, options)
    if counted() is not None:
        asked(end_of_child(number if kind == os.P_PID else -1) if ended is None else None)
    return ended


def _waiting_for_any(options: int) -> Any:
    ended = _wait3(options)
    if counted() is not None:
        asked(end_of_child(-1) if ended[0] == 0 else None)
    return ended


def _waiting_for_one(pid: int, options: int) -> Any:
    ended = _wait4(pid, options)
    if counted() is not None:
        asked(end_of_child(pid) if ended[0] == 0 else None)
    return ended


def _reading(real: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    def read(descriptor: int, length: int, /) -> bytes:
        try:
            return real(descriptor, length)
        except BlockingIOError:
            if counted() is not None and is_users(sys._getframe(2)):
                asked(Asked(lambda seconds: _is_readable(descriptor, seconds)))
            raise

    return read


def _none_yet(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def read(file: io.FileIO, *args: Any) -> Any:
        if counted() is None or file.closed:
            return real(file, *args)
        descriptor = file.fileno()
        readable = Asked(lambda seconds: _is_readable(descriptor, seconds))
        if not is_waiting_really():
            until_deadline(None, readable)
        with waiting_really():
            found = real(file, *args)
        if found is None:
            asked(readable)
        return found

    return read


_FILE_IO = {name: vars(io.FileIO)[name] for name in ("read", "readall", "readinto")}


def _is_readable(descriptor: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def end_of(pid: int) -> Asked:
    """The end of a process that this one has started."""
    return Asked(lambda seconds: _comes(lambda: _has_ended(pid), seconds))


def end_of_child(pid: int) -> Asked | None:
    """The end of a child, or, if this is no process's number, of any that the calling code's process
    has; None if it has none.
    """
    if pid > 0:
        return end_of(pid)
    mine = _mine()
    mine.difference_update([child for child in tuple(mine) if not _is_there(child)])
    children = tuple(mine)
    if not children:
        return None
    return Asked(lambda seconds: _comes(lambda: any(map(_has_ended, children)), seconds))


def end_of_foreign(pid: int) -> Asked:
    """The end of a process that somebody else has started."""

    def gone() -> bool:
        try:
            _kill(pid, 0)
        except OSError:
            return True
        return False

    return Asked(lambda seconds: _comes(gone, seconds), MOST_SECONDS)


_kill = copied(os.kill)


def _has_ended(pid: int) -> bool:
    try:
        return _waitid(os.P_PID, pid, _LOOK) is not None
    except ChildProcessError:
        return True


def _is_there(pid: int) -> bool:
    """Whether a process goes on, or nobody has asked yet how it ended."""
    try:
        _waitid(os.P_PID, pid, _LOOK)
    except ChildProcessError:
        return False
    return True


_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT


def _is_of(path: Any, children: set[int]) -> bool:
    """Whether a path is where Linux shows one of the children; psutil looks there."""
    parts = path.split("/", 3) if isinstance(path, str) and path.startswith("/proc/") else []
    return len(parts) > 2 and parts[2].isdecimal() and int(parts[2]) in children


def _change(path: Any, children: set[int]) -> Asked:
    """That a path shows something else, or that none of the children goes on that may bring it about."""
    before = _shown(path)

    def changed() -> bool:
        return _shown(path) != before or all(map(_has_ended, tuple(children)))

    return Asked(lambda seconds: _comes(changed, seconds), MOST_SECONDS)


def _shown(path: Any) -> tuple[int, int, int] | None:
    try:
        found = real_stat(path)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _comes(true: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes true in so many real seconds."""
    end = Real.monotonic() + seconds
    while not true():
        left = end - Real.monotonic()
        if left <= 0:
            return False
        Real.sleep(min(left, 0.005))
    return True
