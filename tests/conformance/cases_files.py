"""Files that one run locks and another one wants, each in a process of its own."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock
from prefect import flow
from prefect.states import Completed

from simulator import Simulation
from tests.conformance.case import at_work, case, ended, running, until


@contextmanager
def _flock(file: Path, patience: float) -> Iterator[None]:
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if patience else fcntl.LOCK_NB))
        yield


@contextmanager
def _lockf(file: Path, patience: float) -> Iterator[None]:
    with file.open("a") as opened:
        fcntl.lockf(opened, fcntl.LOCK_EX | (0 if patience else fcntl.LOCK_NB))
        yield


@contextmanager
def _filelock(file: Path, patience: float) -> Iterator[None]:
    with FileLock(file, timeout=patience):
        yield


@contextmanager
def _sqlite(file: Path, patience: float) -> Iterator[None]:
    with closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as database:
        database.execute("begin immediate")
        yield
        database.execute("commit")


LOCKS: dict[str, Callable] = {
    "flock": _flock,
    "lockf": _lockf,
    "filelock": _filelock,
    "sqlite": _sqlite,
}


def _folder() -> Path:
    return Path(os.environ["CONFORMANCE_LOCKS"])


@flow
def holds(how: str, then: str = "lets go"):
    """Holds a lock until another run has wanted it for three seconds, or for ever."""
    with LOCKS[how](_folder() / how, 60):
        (_folder() / "held").touch()
        while not (_folder() / "wanted").exists():
            time.sleep(0.25)
        time.sleep(3 if then == "lets go" else 600)


@flow
def wants(how: str, patience: float):
    while not (_folder() / "held").exists():
        time.sleep(0.25)
    began = time.monotonic()
    (_folder() / "wanted").touch()
    with LOCKS[how](_folder() / how, patience):
        waited = time.monotonic() - began
    return Completed(message="waited for it" if waited > 1.5 else "had it at once")


def _meet(sim: Simulation, how: str, patience: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sim.setenv(CONFORMANCE_LOCKS=folder)
        sim.deploy(holds, f"{how}-{patience:g}")
        sim.deploy(wants, f"{how}-{patience:g}")
        sim.trigger(f"holds/{how}-{patience:g}", {"how": how})
        sim.trigger(f"wants/{how}-{patience:g}", {"how": how, "patience": patience})
        until(sim, ended(sim, "wants"))
        until(sim, ended(sim, "holds"))


@case(concurrent=True)
def flock_that_is_waited_for(sim: Simulation) -> None:
    """`fcntl.flock` blocks until the other process lets go."""
    _meet(sim, "flock", 60)


@case(concurrent=True)
def flock_that_is_not_waited_for(sim: Simulation) -> None:
    """`LOCK_NB`: BlockingIOError."""
    _meet(sim, "flock", 0)


@case(concurrent=True)
def lockf_that_is_waited_for(sim: Simulation) -> None:
    """`fcntl.lockf`, which belongs to a process, blocks as well."""
    _meet(sim, "lockf", 60)


@case(concurrent=True)
def lockf_that_is_not_waited_for(sim: Simulation) -> None:
    """`LOCK_NB`: BlockingIOError."""
    _meet(sim, "lockf", 0)


@case(concurrent=True)
def filelock_that_is_waited_for(sim: Simulation) -> None:
    """`filelock.FileLock` within its time-out."""
    _meet(sim, "filelock", 60)


@case(concurrent=True)
def filelock_that_times_out(sim: Simulation) -> None:
    """`filelock.FileLock(timeout=1)`, which is too short."""
    _meet(sim, "filelock", 1)


@case(concurrent=True)
def sqlite_that_is_waited_for(sim: Simulation) -> None:
    """A transaction waits for the other one, within `sqlite3.connect(timeout=)`."""
    _meet(sim, "sqlite", 60)


@case(concurrent=True)
def sqlite_that_is_locked(sim: Simulation) -> None:
    """`timeout=1` is too short: the database is locked."""
    _meet(sim, "sqlite", 1)


@case(concurrent=True)
def lock_of_a_killed_process(sim: Simulation) -> None:
    """`kill -9` of a process that holds a lock: the one that waits for it gets it."""
    with tempfile.TemporaryDirectory() as folder:
        sim.setenv(CONFORMANCE_LOCKS=folder)
        sim.deploy(holds, "killed")
        sim.deploy(wants, "killed")
        sim.trigger("holds/killed", {"how": "flock", "then": "holds on"})
        at_work(sim, "holds")
        sim.trigger("wants/killed", {"how": "flock", "patience": 60})
        until(sim, running(sim, "wants"))
        until(sim, (Path(folder) / "wanted").exists)
        sim.advance(seconds=3)
        sim.kill(sim.runs("holds")[0])
        until(sim, ended(sim, "wants"))
        until(sim, ended(sim, "holds"))
