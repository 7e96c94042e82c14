"""Which process holds which DuckDB file.

DuckDB locks a file against other processes for as long as one has it open: for writing against all,
for reading against those who write. Simulated processes are one to the operating system.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.process.processes import Process


@dataclass(eq=False)
class Holding:
    """A connection through which a process, None for the test, holds a file. `name`: as attached."""

    process: Process | None
    connection: Any
    read_only: bool
    name: str | None = None
    is_open: Callable[[], bool] = field(default=lambda: True)


class DuckDBFiles:
    """The DuckDB files that are held in one simulation, by their real paths."""

    def __init__(self) -> None:
        self._held: dict[str, list[Holding]] = {}
        self._mutex = threading.RLock()

    def conflict(self, file: str, process: Process | None, read_only: bool) -> str | None:
        """What DuckDB says to a process that wants to open a file; None if it may."""
        with self._mutex:
            held = [one for one in self._held.get(file, []) if one.is_open()]
            self._held[file] = held
            others = [one for one in held if one.process is not process]
            if not others or (read_only and all(one.read_only for one in others)):
                return None
        readable = all(one.read_only for one in others)
        return (
            f'IO Error: Could not set lock on file "{file}": Conflicting lock is held in'
            f" {Path(sys.executable).resolve()} (PID {_number(others[0].process)})."
            + (_READABLE if readable else "")
            + " See also https://duckdb.org/docs/current/connect/concurrency"
        )

    def hold(self, file: str, holding: Holding) -> None:
        """A process has opened a file."""
        with self._mutex:
            self._held.setdefault(file, []).append(holding)

    def detach(self, process: Process | None, name: str) -> None:
        """A process has detached what it had attached under a name."""
        with self._mutex:
            for file, held in self._held.items():
                self._held[file] = [
                    one for one in held if one.process is not process or one.name != name
                ]

    def connections_of(self, process: Process) -> list[Any]:
        """The connections of a process that has ended, which hold nothing any more."""
        with self._mutex:
            found = [one for held in self._held.values() for one in held if one.process is process]
            for file, held in self._held.items():
                self._held[file] = [one for one in held if one.process is not process]
        return [one.connection for one in found]


def _number(process: Process | None) -> int:
    return os.getpid() if process is None else process.pid


_READABLE = (
    " However, you would be able to open this database in read-only mode, e.g. by using the -readonly"
    " parameter in the CLI."
)
