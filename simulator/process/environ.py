"""The environment of a process: its own copy of what there was when it started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping

from simulator.process.own import Own

Variables = dict[bytes, bytes]


class Environment:
    """`variables` are those that Python shows, `inherited` those that its children get.

    The two differ by what was set with `os.putenv`, which Python does not show.
    """

    def __init__(self, variables: Mapping[bytes, bytes]) -> None:
        self.variables: Variables = dict(variables)
        self.inherited: Variables = dict(variables)
        self.missed: set[bytes] = set()
        """Which were asked for in vain."""

    def update(self, given: Mapping[str, str]) -> None:
        """Set variables, as whoever starts a process does."""
        for name, value in given.items():
            self.putenv(os.fsencode(name), os.fsencode(value))
            self.variables[os.fsencode(name)] = os.fsencode(value)

    def putenv(self, name: bytes, value: bytes) -> None:
        """As `os.putenv`. Raises ValueError for what cannot be a variable."""
        if b"\0" in name + value:
            raise ValueError("embedded null byte")
        if not name or b"=" in name:
            raise ValueError("illegal environment variable name")
        self.inherited[name] = value


_shared: list[MutableMapping[bytes, bytes]] = []
"""The variables of the whole simulation, as its last element, for as long as there is one."""


def shared_variables() -> Mapping[bytes, bytes]:
    """The variables of the whole simulation, with which a process begins."""
    return _shared[-1]


environment = Own(lambda _: Environment(shared_variables()))


class VariablesOfProcess(MutableMapping[bytes, bytes]):
    """The mapping behind `os.environ`: each process's own; `shared` for all that belongs to none."""

    def __init__(self, shared: MutableMapping[bytes, bytes]) -> None:
        self._shared = shared
        _shared[:] = [shared]

    def _own(self) -> MutableMapping[bytes, bytes]:
        own = environment.current()
        return self._shared if own is None else own.variables

    def __getitem__(self, name: bytes) -> bytes:
        try:
            return self._own()[name]
        except KeyError:
            if (own := environment.current()) is not None:
                own.missed.add(name)
            raise

    def __setitem__(self, name: bytes, value: bytes) -> None:
        self._own()[name] = value

    def __delitem__(self, name: bytes) -> None:
        del self._own()[name]

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self._own()))

    def __len__(self) -> int:
        return len(self._own())
