"""Gives each simulated process its own `atexit`, and refuses what would leave the simulation.

Python 3.11 to 3.13. What is patched, and why:

- `atexit.register`, `unregister`: what a flow registers would run when the simulation's own process
  ends, if then.
- `os.fork`, `os.forkpty`: a child has one of the threads, and none of those that serve it. It may do
  real work and leave by `os._exit`, or become another program. Whatever needs the simulation ends it.

`tests/process/test_apart.py` fails without each of them.
"""

from __future__ import annotations

import atexit
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn

from simulator.cfunctions import calling, copied
from simulator.clock import VirtualClock
from simulator.instants import Real
from simulator.patches.polled import note_child
from simulator.process import current_process, exits

FORKED = 70
"""The exit code of a child that has come to where it needs the simulation."""


@contextmanager
def installed() -> Iterator[None]:
    """Keep the ends of processes apart, for one simulation."""
    children: list[int] = []

    def register(function: Any, *args: Any, **kwargs: Any) -> Any:
        own = exits.current()
        return (_register if own is None else own.register)(function, *args, **kwargs)

    def unregister(function: Any) -> None:
        own = exits.current()
        (_unregister if own is None else own.unregister)(function)

    led: list[tuple[Any, Callable[..., Any]]] = [
        (atexit.register, register),
        (atexit.unregister, unregister),
        (os.fork, _forking(_fork, children)),
        (os.forkpty, _forking(_forkpty, children)),
    ]
    try:
        with calling(led):  # wherever they are bound
            yield
    finally:
        for child in children:
            _end(child)


_register, _unregister = copied(atexit.register), copied(atexit.unregister)
_fork, _forkpty = copied(os.fork), copied(os.forkpty)


def _forking(fork: Callable[[], Any], children: list[int]) -> Callable[[], Any]:
    def forked() -> Any:
        if current_process() is None:
            return fork()
        result = fork()
        child = result if isinstance(result, int) else result[0]
        if child:
            children.append(child)
            note_child(child)
        else:
            _leave_the_simulation()
        return result

    return forked


def _leave_the_simulation() -> None:
    """In a child: wherever it would need what it has not, it ends."""

    def end(*_: Any, **__: Any) -> NoReturn:
        os.write(
            2,
            b"a child of os.fork() has come to where it needs the simulation, which it is no part of:"
            b" it may work on real time, and has to leave by os._exit\n",
        )
        os._exit(FORKED)

    _of_child.enter_context(calling([(time.sleep, Real.sleep)]))  # wherever it is bound
    VirtualClock.park = end  # type: ignore[method-assign]
    VirtualClock.hold = end  # type: ignore[method-assign]


_of_child = ExitStack()
"""What holds in a child until it ends."""


def _end(child: int) -> None:
    """Leave nothing of a child that its parent has not waited for."""
    with suppress(OSError):
        if os.waitpid(child, os.WNOHANG) == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
