"""The patch that lets each process ask the server for its version, once.

Prefect 3.8 and 3.9. Prefect's clients remember for the life of a process that they have asked. Here many
processes, and many simulations, are one: only the very first would ask, and a fault of the API would
strike it and no other. `tests/faults/test_requests.py` fails without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect._internal import version_checking

from simulator.patches.replacing import replacing
from simulator.process import Own


@contextmanager
def asked_by_each() -> Iterator[None]:
    """Let each process remember for itself what it has asked; what belongs to none, together."""
    replaced: list[tuple[Any, str, Any]] = [
        (version_checking, "_API_VERSION_CHECK_CACHE", _OfEachProcess()),
    ]
    with replacing(replaced):
        yield


class _OfEachProcess:
    """A set for each process."""

    def __init__(self) -> None:
        self._own: Own[set[Any]] = Own(lambda process: set())
        self._of_none: set[Any] = set()

    def _set(self) -> set[Any]:
        own = self._own.current()
        return self._of_none if own is None else own

    def __contains__(self, key: Any) -> bool:
        return key in self._set()

    def add(self, key: Any) -> None:
        self._set().add(key)

    def clear(self) -> None:
        self._set().clear()
