"""The process of one variant of a scenario: what `simulator.scenarios.runner` starts.

It talks to its parent through a connection that nothing else knows of. What the flows print, and the
traceback of a crash, go to the log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.scenarios.databases import keep, kept_as
from simulator.scenarios.files import load_file
from simulator.scenarios.files import select as select_scenarios
from simulator.scenarios.variant import run_variant

if TYPE_CHECKING:
    from simulator.simulation import Simulation

LOOK_SECONDS = 0.5
"""How often the progress of virtual time is told, in real time."""

GRACE_SECONDS = 10.0
"""How long a process may take to tidy up once it has been asked to stop, in real time."""


@dataclass(frozen=True)
class Order:
    """What to run, where its traces go (a folder for what all share, one for its own temporary files,
    and the log), on which core, if on one alone, whether its tables are asked for, and the folder in
    which its database is kept, if it is.
    """

    file: Path
    scenario: str
    variant: str
    seed: int
    days: int | None
    folder: Path
    own: Path
    log: Path
    core: int | None
    tables: bool = False
    databases: Path | None = None


def main(order: Order, parent: Connection) -> None:
    """Carry out an order; exit code 130 after Ctrl-C.

    Sends ("started", None), ("moved", days of virtual time) now and then, and ("finished", result).
    """
    settle(parent, order.own, order.log, order.core)
    told = _Teller(parent)
    threading.Thread(target=told.watch, daemon=True).start()  # on real time: before any clock
    try:
        told.tell("started")
        from simulator.warehouse import share_manifests

        share_manifests(order.folder)
        [scenario] = select_scenarios(load_file(order.file), [order.scenario])
        result = run_variant(
            scenario, order.variant, order.seed, order.days,
            opened=told.look_at, tables=order.tables, done=_keeper(order),
        )  # fmt: skip
        told.look_at(None)
        if result.traceback:
            sys.stderr.write(result.traceback)
        told.tell("finished", result)
    except KeyboardInterrupt:
        sys.exit(130)


def _keeper(order: Order) -> Callable[[Simulation], None] | None:
    """What keeps the database of a simulation as it is ordered."""
    if order.databases is None:
        return None
    place = kept_as(order.databases, order.scenario, order.variant, order.seed)
    return lambda simulation: keep(simulation, place)


def settle(parent: Connection, own: Path, log: Path, core: int | None) -> None:
    """Make the calling process one that was forked for a simulation: the first of a group of its own,
    which ends with its `parent`, with a folder of its `own` for temporary files, a `log` for what is
    printed, and a `core` to keep to, if it is to keep to one.
    """
    os.setsid()  # Ctrl-C reaches the parent alone, which stops this one and whatever it has started
    _redirect(log)
    if core is not None:
        with contextlib.suppress(OSError):  # taken from us meanwhile: any other will do
            os.sched_setaffinity(0, {core})
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below some shells
    # It lives on real time: it was there before any virtual clock.
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


class _Teller:
    """Tells the parent what happens, and every now and then how far virtual time has come."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent
        self._lock = threading.Lock()
        self._watched: Simulation | None = None

    def tell(self, what: str, value: Any = None) -> None:
        with self._lock:
            self._parent.send((what, value))

    def look_at(self, simulation: Simulation | None) -> None:
        with self._lock:
            self._watched = simulation

    def watch(self) -> None:
        before = None
        while True:
            select.select([], [], [], LOOK_SECONDS)  # real seconds under any clock
            with self._lock:
                if self._watched is None:
                    continue
                days = (self._watched.now - self._watched.start).total_seconds() / 86400
                if days != before:
                    self._parent.send(("moved", days))
                before = days


def _redirect(log: Path) -> None:
    """Give the flows nothing to read, and the log to write to."""
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    faulthandler.enable()


def _end_with_parent(parent: Connection) -> None:
    """Stop this process and all it has started once the parent is gone, however it went."""
    parent.poll(None)  # it never says anything: this is its end
    os.killpg(0, signal.SIGINT)
    select.select([], [], [], GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)
