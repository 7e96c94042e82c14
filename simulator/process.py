"""The process of one scenario: carries out an order of `simulator.runner`.

The order comes as one line of JSON on standard input, which then stays open: its end tells that
nobody waits any more. One line of JSON per event goes to standard output. What the flows print, and
the traceback of a crash, go to standard error, which is the log.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from simulator.scenario import run_variant
from simulator.scenario_files import load_file
from simulator.scenario_files import select as select_scenarios

if TYPE_CHECKING:
    from simulator.simulation import Simulation

LOOK_SECONDS = 0.5
"""How often the progress of virtual time is told, in real time."""

GRACE_SECONDS = 10.0
"""How long a process may take to tidy up once it has been asked to stop, in real time."""


def main() -> int:
    """Carry out the order on standard input."""
    orders, events = _take_over_pipes()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below some shells
    order = json.loads(_read_line(orders))
    reporter = _Reporter(events)
    # Both live on real time: they were there before any virtual clock.
    threading.Thread(target=_end_with_parent, args=(orders,), daemon=True).start()
    threading.Thread(target=reporter.watch, daemon=True).start()
    try:
        _carry_out(order, reporter)
    except KeyboardInterrupt:
        return 130
    return 0


class _Reporter:
    """Tells the parent what happens, and every now and then how far virtual time has come."""

    def __init__(self, events: IO[str]) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._watched: tuple[str, Simulation] | None = None

    def tell(self, **event: Any) -> None:
        with self._lock:
            self._write(event)

    def look_at(self, variant: str, simulation: Simulation | None) -> None:
        with self._lock:
            self._watched = None if simulation is None else (variant, simulation)

    def watch(self) -> None:
        before = None
        while True:
            select.select([], [], [], LOOK_SECONDS)  # real seconds under any clock
            with self._lock:
                if self._watched is None:
                    continue
                variant, simulation = self._watched
                days = (simulation.now - simulation.start).total_seconds() / 86400
                if (variant, days) != before:
                    self._write({"event": "moved", "variant": variant, "days": days})
                before = (variant, days)

    def _write(self, event: Mapping[str, Any]) -> None:
        self._events.write(json.dumps(event) + "\n")


def _carry_out(order: Mapping[str, Any], reporter: _Reporter) -> None:
    [scenario] = select_scenarios(load_file(Path(order["file"])), [order["scenario"]])
    for variant in order["variants"]:
        reporter.tell(event="started", variant=variant)
        result = run_variant(
            scenario,
            variant,
            order["seed"],
            order["days"],
            opened=partial(reporter.look_at, variant),
        )
        reporter.look_at(variant, None)
        if result.traceback:
            sys.stderr.write(result.traceback)
        handle, file = tempfile.mkstemp(prefix="result-", dir=order["folder"])
        with os.fdopen(handle, "wb") as output:
            pickle.dump(result, output)
        reporter.tell(event="finished", variant=variant, file=file)
    reporter.tell(event="done")


def _take_over_pipes() -> tuple[int, IO[str]]:
    """Keep the two pipes for the talk with the parent, and give the flows something else: nothing
    to read, and the log to write to.
    """
    sys.stdout.flush()
    orders = os.dup(0)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, events


def _read_line(pipe: int) -> bytes:
    """One line, without reading ahead: another thread goes on reading."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(pipe, 1)
        if not byte:
            raise SystemExit("no order on standard input: this is a part of `simulate run`")
        line += byte
    return bytes(line)


def _end_with_parent(pipe: int) -> None:
    """Stop this process and all it has started once the parent is gone, however it went."""
    while os.read(pipe, 4096):
        pass
    os.killpg(0, signal.SIGINT)
    select.select([], [], [], GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
