"""Keeps what runs in a simulation on this machine, and gives the API's address a place on it.

What is patched, and why (Python 3.11 to 3.13):

- `socket.getaddrinfo` and `gethostbyname`: looking up a name asks a server elsewhere. The API's name
  stands for no machine, and gets an address of the loopback.
- `socket.socket.connect`, `connect_ex`, `sendto`, `sendmsg`: a week of flows would send a week of
  mails. They are methods of a class of Python's, so that every library that is written in Python
  goes through them. Those that open sockets in C (uvloop, libpq, gRPC) are out of reach, and so are
  subprocesses.
- `asyncio`'s `getaddrinfo`: it looks up in another thread, where nobody knows who has asked.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from simulator import caveats, hosts
from simulator.errors import ConnectionRefused
from simulator.hosts import Hosts
from simulator.patches.replacing import replacing
from simulator.places import is_users, users_frame

PLACE_OF_API = "127.83.73.77"
"""What the API's name is looked up as. Nobody else has this address of the loopback."""


class Guard:
    """Which hosts may be reached, and who is told that another one may not.

    `who()` names what runs now, such as "flow 'mails'", and where it is written. `heard` is called with
    each host that is refused, and the line that asked for it.
    """

    def __init__(
        self,
        allowed: Hosts,
        who: Callable[[], tuple[str, str]],
        heard: Callable[[str, str], object] = lambda *_: None,
    ) -> None:
        self._allowed = allowed
        self._who = who
        self._heard = heard
        self._found: dict[str, str] = {}  # addresses, and the names that they were looked up by

    def look_up(self, host: Any) -> None:
        """Raise ConnectionRefused unless the name `host` may be looked up."""
        name = hosts.text(host)
        if name and not hosts.is_address(name) and not self._allowed.may_be_looked_up(name):
            raise self._refused(name, None)

    def found(self, host: Any, addresses: Collection[str]) -> None:
        """Take note of the addresses that a name has."""
        self._found.update(dict.fromkeys(addresses, hosts.text(host)))

    def reach(self, address: Any) -> None:
        """Raise ConnectionRefused unless the address of a socket may be reached."""
        if not isinstance(address, tuple) or len(address) < 2:
            return  # a socket of this machine, known by a path
        host, port = hosts.text(address[0]), address[1]
        name = self._found.get(host, host)
        if not self._allowed.may_be_reached({host, name}, port):
            raise self._refused(name, port)

    def _refused(self, host: str, port: int | None) -> ConnectionRefused:
        who, where = self._who()
        frame = users_frame(sys._getframe(2))
        if is_users(frame) or not where:  # else a task of a library's own has come here
            where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        target = host if port is None else f"{host}:{port}"
        caveats.tell("network", f"a connection to {target} was refused", where)
        self._heard(host, where)
        return ConnectionRefused(
            f"{who} wants to reach {target} at {where}: a simulation does not leave this"
            f" machine; put something in its place, or open it with allow_network=[{host!r}]"
        )


@contextmanager
def guarded(guard: Guard, api: str, door: Callable[[], int]) -> Iterator[None]:
    """Let every connection of this process pass `guard`.

    `api` is the name of the host that the API's address has; `door()` is the port of the loopback at
    which it is answered.
    """
    own: Any = socket.socket
    look_up, by_name, by_name_ex = (
        socket.getaddrinfo,
        socket.gethostbyname,
        socket.gethostbyname_ex,
    )
    look_up_for_loop = asyncio.BaseEventLoop.getaddrinfo
    # What waits for the real world has its own place in between.
    before_connect, before_connect_ex = own.connect, own.connect_ex
    before_sendto, before_sendmsg = own.sendto, own.sendmsg

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if hosts.text(host) == api:
            return look_up(PLACE_OF_API, port, *args, **options)
        guard.look_up(host)
        found = look_up(host, port, *args, **options)
        guard.found(host, {str(one[4][0]) for one in found})
        return found

    async def getaddrinfo_for_loop(self: Any, host: Any, port: Any, **options: Any) -> Any:
        if hosts.text(host) != api:
            guard.look_up(host)
        return await look_up_for_loop(self, host, port, **options)

    def gethostbyname(host: str) -> str:
        if host == api:
            return PLACE_OF_API
        guard.look_up(host)
        return by_name(host)

    def gethostbyname_ex(host: str) -> Any:
        guard.look_up(host)
        return by_name_ex(host)

    def to_door(address: Any) -> Any:
        if isinstance(address, tuple) and address and address[0] in (PLACE_OF_API, api):
            return ("127.0.0.1", door())
        guard.reach(address)
        return address

    def connect(self: Any, address: Any) -> None:
        before_connect(self, to_door(address))

    def connect_ex(self: Any, address: Any) -> int:
        code: int = before_connect_ex(self, to_door(address))
        return code

    def sendto(self: Any, data: Any, *where: Any) -> int:
        guard.reach(where[-1] if where else None)
        sent: int = before_sendto(self, data, *where)
        return sent

    def sendmsg(self: Any, buffers: Any, *options: Any) -> int:
        guard.reach(options[2] if len(options) > 2 else None)
        sent: int = before_sendmsg(self, buffers, *options)
        return sent

    replaced: list[tuple[Any, str, Any]] = [
        (socket, "getaddrinfo", getaddrinfo),
        (socket, "gethostbyname", gethostbyname),
        (socket, "gethostbyname_ex", gethostbyname_ex),
        (asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo_for_loop),
        (own, "connect", connect),
        (own, "connect_ex", connect_ex),
        (own, "sendto", sendto),
        (own, "sendmsg", sendmsg),
    ]
    with replacing(replaced):
        yield
