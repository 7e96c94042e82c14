"""Sockets whose other end is in this process: who waits for one waits for another thread.

Such a wait takes virtual time, as one for a lock does. What makes a socket ready goes through the
kernel, which tells only whoever waits there; so once nothing can run, and before time moves, all are
looked at.

A socket that has connected to a listener of a counted thread is one, and what that listener has
accepted from it. Of a listener itself, and of either end of a pair, a process that a counted thread has
started may have the other end, or get it: while there is one, a wait for them is one for the real world.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum, auto
from weakref import WeakKeyDictionary, ref

from simulator.clock.holds import Hold
from simulator.clock.real import Asked, Watching
from simulator.clock.virtual import VirtualClock
from simulator.clock.waits import Wait

Ready = Callable[[], bool]
"""Looks whether a socket is ready, without waiting for it."""


class _Kind(Enum):
    LISTENS = auto()
    CONNECTED = auto()
    ACCEPTED = auto()
    OF_A_PAIR = auto()


class Peers:
    """What is known about the sockets of one simulation's counted threads, and who waits for them."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._known: dict[int, tuple[ref[socket.socket], _Kind]] = {}  # by descriptor
        self._waiting: dict[Wait, Ready] = {}
        self._going_on: list[Asked] = []  # the ends of processes, of those that had not come yet
        clock.overlooked.append(self._wake_next)

    # -- what is known -----------------------------------------------------------------------------

    def listens(self, sock: socket.socket) -> None:
        """Take note of a socket that listens from now on."""
        self._note(sock, _Kind.LISTENS)

    def pair(self, socks: Iterable[socket.socket]) -> None:
        """Take note of both ends of a pair."""
        for sock in socks:
            self._note(sock, _Kind.OF_A_PAIR)

    def connects(self, sock: socket.socket, address: object) -> None:
        """Take note of a socket that is about to connect, if that is to a listener that is known."""
        listeners = (one for one, kind in self._all() if kind is _Kind.LISTENS)
        if any(_leads_to(address, sock, listener) for listener in listeners):
            self._note(sock, _Kind.CONNECTED)

    def accepts(self, listener: socket.socket, sock: socket.socket) -> None:
        """Take note of a socket that a listener has accepted, if that is known."""
        if self._kind(listener.fileno()) is _Kind.LISTENS:
            self._note(sock, _Kind.ACCEPTED)

    def started(self, end: Asked) -> None:
        """Take note of a process that a counted thread has started, by its end."""
        self._going_on.append(end)

    def has(self, descriptors: Iterable[int]) -> bool:
        """Whether only threads of this process can make these sockets ready. Not if there are none."""
        kinds = [(descriptor, self._kind(descriptor)) for descriptor in descriptors]
        if not kinds or any(kind is None for _, kind in kinds):
            return False
        doubtful = [
            descriptor
            for descriptor, kind in kinds
            if kind is not _Kind.CONNECTED and not self._is_accepted_from_here(descriptor, kind)
        ]
        return not doubtful or not self._has_processes()

    def _has_processes(self) -> bool:
        self._going_on = [end for end in self._going_on if not end.ready(0)]
        return bool(self._going_on)

    def _note(self, sock: socket.socket, kind: _Kind) -> None:
        self._known[sock.fileno()] = ref(sock), kind

    def _all(self) -> list[tuple[socket.socket, _Kind]]:
        known = [(known(), kind) for known, kind in list(self._known.values())]
        return [(sock, kind) for sock, kind in known if sock is not None and sock.fileno() >= 0]

    def _kind(self, descriptor: int) -> _Kind | None:
        known, kind = self._known.get(descriptor, (lambda: None, None))
        sock = known()
        return kind if sock is not None and sock.fileno() == descriptor else None

    def _is_accepted_from_here(self, descriptor: int, kind: _Kind | None) -> bool:
        known, _ = self._known[descriptor]
        sock = known()
        if kind is not _Kind.ACCEPTED or sock is None:
            return False
        with suppress(OSError):
            peer = sock.getpeername()
            return bool(peer) and any(
                kind is _Kind.CONNECTED and _name(one) == peer for one, kind in self._all()
            )
        return False

    # -- who waits ---------------------------------------------------------------------------------

    def wait(self, hold: Hold, ready: Ready, seconds: float | None) -> bool:
        """Wait in virtual time until one is ready, for so many seconds at most. Whether it is.

        One that is closed meanwhile is never ready again, as on Linux.
        """

        def is_ready() -> bool:
            try:
                return ready()
            except (OSError, ValueError):
                return False

        if ready():
            return True
        wait = Watching(self._clock, hold, is_ready)
        self.watch(wait, is_ready)
        try:
            return self._clock.park(wait, seconds) or is_ready()
        finally:
            self.forget(wait)

    def watch(self, wait: Wait, ready: Ready) -> None:
        """Wake a wait once something is ready for it, before time moves."""
        self._waiting[wait] = ready

    def forget(self, wait: Wait) -> None:
        """Look no longer, if anybody has."""
        self._waiting.pop(wait, None)

    def _wake_next(self) -> bool:
        return any(
            wait.parked and ready() and self._clock.wake(wait)
            for wait, ready in list(self._waiting.items())
        )


_peers: WeakKeyDictionary[VirtualClock, Peers] = WeakKeyDictionary()


def peers_of(clock: VirtualClock) -> Peers:
    """The one of a clock."""
    if clock not in _peers:
        _peers[clock] = Peers(clock)
    return _peers[clock]


def _leads_to(address: object, sock: socket.socket, listener: socket.socket) -> bool:
    """Whether who connects to an address gets to a listener."""
    with suppress(OSError):
        name: object = listener.getsockname()
        if not (isinstance(address, tuple) and isinstance(name, tuple)):
            return address == name
        (host, port), (own, own_port) = address[:2], name[:2]
        anywhere = own in ("0.0.0.0", "::")
        here = host == own or (anywhere and _is_loopback(host))
        by_name = host == "localhost" and (anywhere or _is_loopback(own))
        return bool(port == own_port and sock.type == listener.type and (here or by_name))
    return False


def _is_loopback(host: object) -> bool:
    return str(host).startswith(("127.", "::ffff:127.")) or host in ("::1", "localhost")


def _name(sock: socket.socket) -> object:
    try:
        return sock.getsockname()
    except OSError:
        return None
