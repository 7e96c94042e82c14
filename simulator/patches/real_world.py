"""Lets what waits for the real world tell the virtual clock how long it has waited in vain.

`simulator.clock.real` says what becomes of such a wait. What is patched, and why (Python 3.11 to 3.13):

- `subprocess`: polls a real process with real sleeps and real time-outs, as its own module of the time
  is given back to it.
- `Popen.wait`, `Popen.communicate` (so also `run`, `call` and `check_output`), the blocking methods of
  `socket.socket` and `ssl.SSLSocket`, `select.select`, `poll` and `epoll` (so also `selectors`, and
  `multiprocessing`'s queues and connections): a time-out that has come takes its virtual time, and so
  does that of their process (`simulator.patches.deadlines`).
- `Popen.poll`, `returncode` of one of asyncio's processes, `os.waitpid`, a socket or a `select` that
  does not block, a connection that is refused: whoever sleeps next waits for what was asked for.
- `Popen`, `connect`: a wait for a socket with both ends in this process is virtual
  (`simulator.clock.peers`, and `simulator.patches.peers` for how they are known).

Those that wait in C of their own (libpq, gRPC) hold the clock, and their time-outs take no virtual time.
"""

from __future__ import annotations

import functools
import os
import select
import socket
import ssl
import subprocess
import sys
import time
import types
from asyncio import base_subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from simulator.cfunctions import calling, copied, overriding
from simulator.clock import (
    Asked,
    Peers,
    VirtualClock,
    asked,
    counted,
    expired,
    is_waiting_really,
    peers_of,
    waiting_really,
)
from simulator.instants import Real
from simulator.patches.deadlines import until_deadline
from simulator.patches.peers import noting
from simulator.patches.polled import end_of, end_of_child
from simulator.patches.replacing import replacing
from simulator.places import is_users

REFUSED_SECONDS = 10.0
"""How long one waits in real time, at most, for a server that has refused a connection to come up."""

_RECEIVING = (
    "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "_accept",
)  # fmt: skip
_CONNECTING = ("connect", "connect_ex")
_SOCKET = (*_RECEIVING, *_CONNECTING, "send", "sendall", "sendto", "sendmsg")
_SSL = ("read", "write", "do_handshake")


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Let the waits of counted threads for the real world take virtual time when they are in vain."""
    popen, transport = subprocess.Popen, base_subprocess.BaseSubprocessTransport
    peers = peers_of(clock)
    replaced: list[tuple[Any, str, Any]] = [
        (subprocess, "time", _real_time()),
        (subprocess, "_time", Real.monotonic),
        (popen, "__init__", _start(peers, popen.__init__)),
        (popen, "wait", _of_process(clock, popen.wait, "timeout")),
        (popen, "communicate", _of_process(clock, popen.communicate, "input", "timeout")),
        (popen, "poll", _poll(popen.poll)),
        (transport, "get_returncode", _returncode(transport.get_returncode)),
        (os, "waitpid", _waitpid(os.waitpid)),
        *noting(peers),
    ]
    for kind, names in ((socket.socket, _SOCKET), (ssl.SSLSocket, _SSL)):
        replaced += [(kind, name, _of_socket(clock, peers, getattr(kind, name))) for name in names]
    with ExitStack() as stack:
        stack.enter_context(replacing(replaced))
        stack.enter_context(calling([(select.select, _select(clock, peers, _real_select))]))
        stack.enter_context(overriding(_pollers(clock)))
        yield


def _real_time() -> types.SimpleNamespace:
    real = types.SimpleNamespace(
        **{name: getattr(time, name) for name in dir(time) if not name.startswith("__")}
    )
    real.sleep, real.time, real.monotonic = Real.sleep, Real.time, Real.monotonic
    return real


# -- processes -------------------------------------------------------------------------------------


def _start(peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def init(process: Any, *args: Any, **kwargs: Any) -> None:
        real(process, *args, **kwargs)
        if counted() is not None:
            peers.started(end_of(process.pid))

    return init


def _of_process(clock: VirtualClock, real: Callable[..., Any], *names: str) -> Callable[..., Any]:
    @functools.wraps(real)
    def wait(process: Any, *args: Any, **kwargs: Any) -> Any:
        hold = counted()
        if hold is None or len(args) > len(names):
            return real(process, *args, **kwargs)
        given: dict[str, Any] = {**dict(zip(names, args, strict=False)), **kwargs}
        seconds: Any = given.get("timeout")
        answers: list[Any] = []

        def ended(at_most: float) -> bool:
            """Wait so many real seconds, and read meanwhile what the process writes."""
            with waiting_really(), suppress(subprocess.TimeoutExpired):
                answers.append(real(process, **{**given, "timeout": at_most}))
            given.pop("input", None)  # it has been taken
            return bool(answers)

        if not is_waiting_really():
            given["timeout"] = seconds = until_deadline(seconds, end_of(process.pid), ended)
        if answers:
            return answers[0]
        with waiting_really() as outermost:
            try:
                return real(process, **given)
            except subprocess.TimeoutExpired:
                if not outermost:
                    raise
                error = sys.exception()
        if seconds > 0:
            expired(clock, hold, seconds)
        else:
            asked(end_of(process.pid))
        assert error is not None
        raise error

    return wait


def _poll(real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def poll(process: Any) -> Any:
        code = real(process)
        if counted() is not None:
            asked(end_of(process.pid) if code is None else None)
        return code

    return poll


def _returncode(real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def get_returncode(transport: Any) -> Any:
        code = real(transport)
        if counted() is not None:
            asked(end_of(transport.get_pid()) if code is None else None)
        return code

    return get_returncode


def _waitpid(real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def waitpid(pid: int, options: int, /) -> Any:
        ended = real(pid, options)
        if counted() is not None:
            asked(end_of_child(pid) if ended[0] == 0 else None)
        return ended

    return waitpid


# -- files -----------------------------------------------------------------------------------------


def _of_socket(clock: VirtualClock, peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    receives = real.__name__ in _RECEIVING
    connects = real.__name__ in _CONNECTING

    @functools.wraps(real)
    def call(sock: Any, *args: Any, **kwargs: Any) -> Any:
        hold = counted()
        if hold is None:
            return real(sock, *args, **kwargs)
        if connects and args:
            peers.connects(sock, args[0])
        if receives and sock.gettimeout() != 0 and peers.has([sock.fileno()]):
            if not peers.wait(hold, lambda: _is_readable(sock), sock.gettimeout()):
                raise TimeoutError("timed out")
            return real(sock, *args, **kwargs)
        if receives and sock.gettimeout() != 0 and not is_waiting_really():
            until_deadline(sock.gettimeout(), _readiness_of([sock], []))
        with waiting_really() as outermost:
            try:
                answer = real(sock, *args, **kwargs)
            except BlockingIOError:
                users = outermost and is_users(sys._getframe(1))
                if users and not (receives and peers.has([sock.fileno()])):
                    asked(_readiness_of([sock], []))
                raise
            except ConnectionRefusedError:
                asked(Asked(_only_time, REFUSED_SECONDS))
                raise
            except TimeoutError:
                seconds = sock.gettimeout()
                if not outermost or not seconds:
                    raise
                error = sys.exception()
            else:
                if real.__name__ == "connect_ex" and answer:
                    asked(Asked(_only_time, REFUSED_SECONDS))
                else:
                    asked(None)
                return answer
        expired(clock, hold, seconds)
        assert error is not None
        raise error

    return call


def _select(clock: VirtualClock, peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    def select_(
        readers: Any, writers: Any, exceptional: Any, timeout: float | None = None, /
    ) -> Any:
        readers, writers = list(readers), list(writers)
        hold = counted()
        if (
            hold is not None
            and (timeout is None or timeout > 0)
            and peers.has(map(_descriptor, [*readers, *writers]))
        ):
            if not peers.wait(hold, lambda: any(real(readers, writers, exceptional, 0)), timeout):
                return [], [], []
            return real(readers, writers, exceptional, 0)
        return _look(
            clock,
            lambda seconds: real(readers, writers, exceptional, seconds),
            any,
            timeout,
            lambda: _readiness_of(readers, writers),
            sys._getframe(2),
        )

    return functools.wraps(real)(select_)


def _pollers(clock: VirtualClock) -> list[tuple[type, dict[str, Callable[..., Any]]]]:
    """The types of `select` that wait for files, and how they do so here."""
    found: list[tuple[type, dict[str, Callable[..., Any]]]] = []

    def of(kind: type, unit: float) -> None:
        real = vars(kind)["poll"]

        def poll(poller: Any, timeout: float | None = None, *args: Any, **kwargs: Any) -> Any:
            blocks = timeout is None or timeout < 0
            return _look(
                clock,
                lambda seconds: real(
                    poller, None if seconds is None else seconds / unit, *args, **kwargs
                ),
                bool,
                None if timeout is None or blocks else timeout * unit,
                lambda: Asked(lambda seconds: bool(real(poller, seconds / unit))),
                sys._getframe(1),
            )

        found.append((kind, {"poll": functools.wraps(real)(poll)}))

    of(type(select.poll()), 0.001)
    if hasattr(select, "epoll"):
        of(select.epoll, 1.0)
    return found


def _look(
    clock: VirtualClock,
    look: Callable[[float | None], Any],
    is_ready: Callable[[Any], bool],
    seconds: float | None,
    what: Callable[[], Asked],
    caller: types.FrameType,
) -> Any:
    """Look for files that are ready, as many real seconds as the caller asks for; None is for ever.

    What has been seen is the answer: who looks again may not see it (`EPOLLET`, `EPOLLONESHOT`).
    """
    hold = counted()
    if hold is None:
        return look(seconds)
    seen: list[Any] = []

    def ready(at_most: float) -> bool:
        try:
            seen[:] = [look(at_most)]
        except (OSError, ValueError):
            seen.clear()
            return True  # it has been closed, as whoever looks next is told
        return is_ready(seen[0])

    if seconds != 0 and not is_waiting_really():
        seconds = until_deadline(seconds, Asked(ready))
    if seen and is_ready(seen[0]):
        asked(None)
        return seen[0]
    with waiting_really() as outermost:
        answer = look(seconds)
    if not outermost or seconds is None:
        return answer
    if is_ready(answer):
        asked(None)
    elif seconds > 0:
        if expired(clock, hold, seconds, Asked(ready)):
            return seen[0] if seen else look(0)
    elif is_users(caller):
        # Libraries look so whether a connection that they keep is still good.
        asked(what())
    return answer


def _readiness_of(readers: list[Any], writers: list[Any]) -> Asked:
    def ready(seconds: float) -> bool:
        try:
            return any(_real_select(readers, writers, [], seconds))
        except (OSError, ValueError):
            return True  # it has been closed

    return Asked(ready)


def _descriptor(file: Any) -> int:
    descriptor: int = file if isinstance(file, int) else file.fileno()
    return descriptor


def _is_readable(sock: Any) -> bool:
    poller = select.poll()  # `select` knows small descriptors alone
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _only_time(seconds: float) -> bool:
    Real.sleep(seconds)
    return False


_real_select = copied(select.select)
