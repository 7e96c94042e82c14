"""What all processes have in common that are forked for one simulation each: how they are started, and
where.
"""

from __future__ import annotations

import os
import tempfile
from multiprocessing import forkserver
from typing import Any

from simulator.errors import SimulationError


def default_jobs() -> int:
    """One job for each core that this process may use."""
    return len(_cores()) or os.cpu_count() or 1


def _cores() -> list[int]:
    """The cores that this process may use; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cores_for(simulations: int, jobs: int) -> list[int | None]:
    """For each job the core that its processes keep to, or None.

    The threads of a simulation take turns. On one core they hand over to one another without moving
    what is in its caches, which saves an eighth of the CPU time (`cadence-by-caching`, two cores). Not
    where cores would be left over: somebody else may have chosen the same ones.
    """
    cores = _cores()
    return [*cores] if simulations >= jobs == len(cores) else [None] * jobs


def start_method() -> str:
    """How processes are started. The server of forks listens on a socket in the folder for temporary
    files, and the path of a socket is limited (to 104 bytes on macOS, to 108 on Linux).
    """
    longest = 104 - len(os.fsencode("/pymp-12345678/listener-12345678"))
    return "forkserver" if len(os.fsencode(tempfile.gettempdir())) < longest else "spawn"


def start(process: Any) -> None:
    """Start a process that `start_method` says the way of. If the server of forks is killed while it is
    asked, another one is started and asked.

    Raises SimulationError if that one is killed as well.
    """
    try:
        process.start()
    except (EOFError, ConnectionError):
        # Its sockets are closed before it has ended, and only then is another one started.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            process.start()
        except (EOFError, ConnectionError) as gone:
            raise SimulationError(
                "no process can be started: the server of forks was killed twice"
            ) from gone
