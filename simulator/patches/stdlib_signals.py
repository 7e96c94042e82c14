"""Gives each simulated process signals of its own: handlers, an alarm on virtual time, a main thread.

Python 3.11 to 3.13. What is patched, and why (functions in C wherever they are bound; `signal.signal` is
one in Python that calls `_signal.signal`):

- `signal.signal` and its kin: only the main thread of the operating system's process may call them,
  and there is one handler for all. `alarm` and `setitimer` count real seconds.
- `os.kill`, `os.killpg`, `signal.raise_signal`, `signal.pthread_kill`, `_thread.interrupt_main`,
  `os.abort`, `os._exit`: whoever means the own process means the simulated one.
- `threading.main_thread`: whoever asks wants to know whether signals reach the calling thread.
- asyncio's `add_signal_handler`: its loop hears of a signal through a pipe that C code writes to.

`tests/process/test_apart.py` fails without each of them.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # it has no stubs
import _thread
import asyncio
import os
import signal
import threading
from asyncio.unix_events import _UnixSelectorEventLoop
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import SimpleNamespace
from typing import Any

from simulator.cfunctions import calling, copied
from simulator.clock import asked, counted
from simulator.errors import UnsupportedOperation
from simulator.patches.polled import end_of_foreign
from simulator.patches.replacing import replacing
from simulator.process import Process, Signals, current_process, signals


@contextmanager
def installed() -> Iterator[None]:
    """Keep signals apart, for one simulation."""
    here = os.getpid()
    own = _real
    led: list[tuple[Any, Callable[..., Any]]] = [
        (_signal.signal, _own(own.signal, Signals.handle)),
        (_signal.getsignal, _own(own.getsignal, Signals.handler)),
        (signal.alarm, _own(own.alarm, Signals.alarm)),
        (signal.setitimer, _own(own.setitimer, _setitimer)),
        (signal.getitimer, _own(own.getitimer, _getitimer)),
        (signal.raise_signal, _own(own.raise_signal, Signals.send)),
        (signal.pause, _own(own.pause, _pause)),
        (signal.siginterrupt, _own(own.siginterrupt, lambda *_: None)),
        (signal.set_wakeup_fd, _own(own.set_wakeup_fd, lambda *_, **__: -1)),
        (signal.pthread_kill, _pthread_kill(own.pthread_kill)),
        (_thread.interrupt_main, _own(own.interrupt_main, _interrupt_main)),
        (os.kill, _kill(own.kill, here)),
        (os.killpg, _killpg(own.killpg, here)),
        (os.abort, _own(own.abort, lambda own: own.send(signal.SIGABRT))),
        (os._exit, _exit_process(own._exit, here)),
    ]
    replaced: list[tuple[Any, str, Any]] = [
        (threading, "main_thread", _main_thread(threading.main_thread)),
        (_UnixSelectorEventLoop, "add_signal_handler", _add_signal_handler()),
        (_UnixSelectorEventLoop, "remove_signal_handler", _remove_signal_handler()),
    ]
    with calling(led), replacing(replaced):
        yield


_real = SimpleNamespace(
    **{
        function.__name__: copied(function)
        for function in (
            *(_signal.signal, _signal.getsignal, signal.alarm, signal.setitimer, signal.getitimer),
            *(signal.raise_signal, signal.pause, signal.siginterrupt, signal.set_wakeup_fd),
            *(signal.pthread_kill, _thread.interrupt_main, os.kill, os.killpg, os.abort, os._exit),
        )
    }
)
"""What these functions do outside of processes."""


def _own(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """In a process `ours`, with its signals; elsewhere the real function."""

    @wraps(real)
    def dispatched(*args: Any, **kwargs: Any) -> Any:
        own = signals.current()
        return real(*args, **kwargs) if own is None else ours(own, *args, **kwargs)

    return dispatched


def _setitimer(own: Signals, which: int, seconds: float, interval: float = 0.0) -> Any:
    _only_real(which)
    return own.set_timer(seconds, interval)


def _getitimer(own: Signals, which: int) -> Any:
    _only_real(which)
    return own.timer()


def _only_real(which: int) -> None:
    if which != signal.ITIMER_REAL:
        raise UnsupportedOperation(
            f"setitimer({signal.ITIMER_VIRTUAL if which == 1 else which!r}) counts the CPU time of"
            " the whole simulation: only signal.ITIMER_REAL is a process's own"
        )


def _pause(own: Signals) -> None:
    hold = counted()
    assert hold is not None
    own.pause(hold)


def _interrupt_main(own: Signals, signum: int = signal.SIGINT) -> None:
    own.send(signum)


def _main_thread(main_thread: Callable[[], threading.Thread]) -> Callable[[], threading.Thread]:
    def main_thread_() -> threading.Thread:
        process = current_process()
        return main_thread() if process is None else process.thread

    return main_thread_


def _kill(kill: Callable[[int, int], None], here: int) -> Callable[[int, int], None]:
    def kill_(pid: int, signum: int, /) -> None:
        own = signals.current()
        if own is None or os.getpid() != here or pid not in (here, 0, -os.getpgrp()):
            kill(pid, signum)
            if signum == 0 and own is not None:
                asked(end_of_foreign(pid))
        else:
            own.send(signum)

    return kill_


def _killpg(killpg: Callable[[int, int], None], here: int) -> Callable[[int, int], None]:
    def killpg_(pgid: int, signum: int, /) -> None:
        own = signals.current()
        if own is None or os.getpid() != here or pgid not in (0, os.getpgrp()):
            killpg(pgid, signum)
        else:
            own.send(signum)

    return killpg_


def _pthread_kill(pthread_kill: Callable[[int, int], None]) -> Callable[[int, int], None]:
    def pthread_kill_(thread_id: int, signum: int, /) -> None:
        own = signals.current()
        if own is None:
            pthread_kill(thread_id, signum)
        else:  # whatever thread is meant, Python runs the handler in the main thread
            own.send(signum)

    return pthread_kill_


def _exit_process(exit_: Callable[[int], Any], here: int) -> Callable[[int], Any]:
    def _exit(status: int) -> Any:
        process = current_process()
        if process is None or os.getpid() != here:
            exit_(status)
        else:
            process.exit(status)

    return _exit


class _OnLoop:
    """The handler of a signal that an event loop calls."""

    def __init__(self, loop: Any, handle: asyncio.Handle) -> None:
        self._loop = loop
        self._handle = handle

    def __call__(self, signum: int, frame: object) -> None:
        self._loop._add_callback_signalsafe(self._handle)


def _add_signal_handler() -> Callable[..., None]:
    real = _UnixSelectorEventLoop.add_signal_handler

    def add_signal_handler(self: Any, sig: int, callback: Any, *args: Any) -> None:
        own = signals.current()
        if own is None:
            real(self, sig, callback, *args)
            return
        if asyncio.iscoroutine(callback) or asyncio.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_closed()
        process = current_process()
        assert isinstance(process, Process)
        if process.thread is not threading.current_thread():
            raise RuntimeError("set_wakeup_fd only works in main thread of the main interpreter")
        handle = asyncio.Handle(callback, args, self, None)
        self._signal_handlers[sig] = handle
        own.listen(sig, _OnLoop(self, handle))

    return add_signal_handler


def _remove_signal_handler() -> Callable[..., bool]:
    real = _UnixSelectorEventLoop.remove_signal_handler

    def remove_signal_handler(self: Any, sig: int) -> bool:
        own = signals.current()
        if own is None:
            removed: bool = real(self, sig)
            return removed
        if self._signal_handlers.pop(sig, None) is None:
            return False
        own.listen(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        return True

    return remove_signal_handler
