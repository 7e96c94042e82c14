"""Lets sockets say whether their other end is in this process.

What is patched, and why (Python 3.11 to 3.13):

- `listen` and `accept` of sockets, and `socket.socketpair`: they say which sockets have their other end
  here (`connect`, and `Popen`, which may have it, do so in `simulator.patches.real_world`);
- `select` of the selectors of `selectors`: it knows which files it waits for; `poll` and `epoll` do not
  tell.

`tests/clock/test_peers.py` fails without each of them.
"""

from __future__ import annotations

import functools
import selectors
import socket
from collections.abc import Callable
from typing import Any

from simulator.clock import Peers, VirtualSelector, counted

_SELECTORS = [
    kind
    for name in ("Select", "Poll", "Epoll", "Devpoll", "Kqueue")
    if (kind := getattr(selectors, f"{name}Selector", None)) is not None
]


def noting(peers: Peers) -> list[tuple[Any, str, Any]]:
    """What is to be replaced so that `peers` know of each, for `replacing`."""
    return [
        (socket.socket, "listen", _listen(peers, socket.socket.listen)),
        (socket.socket, "accept", _accept(peers, socket.socket.accept)),
        (socket, "socketpair", _socketpair(peers, socket.socketpair)),
        *((kind, "select", _selector(peers, kind.select)) for kind in _SELECTORS),
    ]


def _listen(peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def listen(sock: Any, *args: Any) -> Any:
        real(sock, *args)
        hold = counted()
        if hold is not None and not hold.background:
            peers.listens(sock)

    return listen


def _accept(peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def accept(sock: Any) -> Any:
        accepted, address = real(sock)
        if counted() is not None:
            peers.accepts(sock, accepted)
        return accepted, address

    return accept


def _socketpair(peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def socketpair(*args: Any, **kwargs: Any) -> Any:
        both = real(*args, **kwargs)
        if counted() is not None:
            peers.pair(both)
        return both

    return socketpair


def _selector(peers: Peers, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def select_(selector: Any, timeout: float | None = None) -> Any:
        hold = counted()
        waits = timeout is None or timeout > 0
        if (
            hold is None
            or not waits
            or isinstance(selector, VirtualSelector)  # it does so itself
            or not peers.has(key.fd for key in selector.get_map().values())
        ):
            return real(selector, timeout)
        ready = peers.wait(hold, lambda: bool(real(selector, 0)), timeout)
        return real(selector, 0) if ready else []

    return select_
