"""Which hosts a simulation may reach: this machine, and what its user allows."""

from __future__ import annotations

import fnmatch
import ipaddress
import socket
from collections.abc import Collection
from typing import Any

from simulator.errors import SimulationError


class Hosts:
    """The hosts that may be reached: this machine's loopback, and those that are `allowed`.

    `allowed`: names in which `*` stands for anything, addresses, or networks such as "10.0.0.0/8",
    each with ":port" if only that port is meant. Raises SimulationError for what is none of these.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        given: object = allowed
        if isinstance(given, str) or not isinstance(given, Collection):
            raise SimulationError(
                f"allow_network={given!r} must be a list, such as ['*.example.com']"
            )
        self._allowed = [_split(one) for one in given]

    @property
    def this_machine_only(self) -> bool:
        """Whether no other host is allowed."""
        return not self._allowed

    def may_be_looked_up(self, name: str) -> bool:
        """Whether somebody may be asked for the address of a name."""
        return _is_of_this_machine(name) or any(
            fnmatch.fnmatch(name, allowed) for allowed, _ in self._allowed
        )

    def may_be_reached(self, names: Collection[str], port: int) -> bool:
        """Whether a host, known by these names and addresses, may be reached at a port."""
        return any(_is_here(name) for name in names) or any(
            only in (None, port) and _stands_for(allowed, name)
            for allowed, only in self._allowed
            for name in names
        )


def text(host: Any) -> str:
    """A host as Python's sockets take it, in one form. Empty if it is none."""
    name = host.decode(errors="replace") if isinstance(host, bytes | bytearray) else host
    return name.lower().rstrip(".") if isinstance(name, str) else ""


def is_address(host: str) -> bool:
    """Whether a host is an address, and not a name."""
    return _address(host) is not None


def _split(allowed: Any) -> tuple[str, int | None]:
    """A host, and the port if only that one is meant."""
    if not isinstance(allowed, str) or not allowed or "://" in allowed:
        raise SimulationError(
            f"allow_network: {allowed!r} is no host, such as 'api.example.com' or '10.0.0.0/8'"
        )
    host, colon, port = allowed.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]").lower(), int(port)
    return allowed.strip("[]").lower(), None


def _stands_for(allowed: str, host: str) -> bool:
    place = _address(host)
    if place is None or "/" not in allowed:
        return fnmatch.fnmatch(host, allowed)
    try:
        return place in ipaddress.ip_network(allowed, strict=False)
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    place = _address(host)
    return _is_of_this_machine(host) if place is None else place.is_loopback or place.is_unspecified


def _is_of_this_machine(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or name == text(socket.gethostname())


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        place = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(place, "ipv4_mapped", None) or place
