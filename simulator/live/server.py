"""A real Prefect server and its process workers, as child processes on loopback, in real time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from simulator.errors import SimulationError
from simulator.server import database_template, settings
from simulator.stock import START_SECONDS, StockServer


class LiveServer(StockServer):
    """`prefect server start` on a free port of 127.0.0.1, with a throw-away home and database.

    A context manager; it may be shared by several live simulations, also in several threads. At its
    end every process is ended that it has started, and every process that its workers have.

    `settings`: Prefect settings of the server, its workers and all flows, by the names of their
    environment variables. The user's own do not hold.

    A work queue cannot be paused or resumed there, nor otherwise be given another status: the server
    refuses it after half a minute in which it answers nobody (see `database_name`).

    Raises SimulationError for a setting that Prefect does not know, or if the server does not start.
    """

    options = ("--no-ui",)

    # With ":memory:" in the name Prefect uses a single connection. With more of them its server comes to
    # a halt on a busy machine: garbage is collected in the event loop's thread, a cursor in it belongs
    # to a connection that waits for SQLite's lock in a thread of its own, and to let go of it takes that
    # connection's mutex, while who holds the lock would go on in the event loop. The price: what opens a
    # session inside of another one waits for itself, as the event of a work queue's new status does.
    database_name = "prefect:memory:.db"

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(settings)
        self.workers: dict[tuple[str, str], LiveWorker] = {}

    def __enter__(self) -> Self:
        settings.named(self._settings)
        return super().__enter__()

    def _database(self) -> Path:
        return database_template()

    def worker(
        self, pool: str, name: str, limit: int | None, took: Callable[[float], object]
    ) -> LiveWorker:
        """The worker of this name of a work pool that is there, made at the first call.

        `took` is told the seconds whenever this worker, if it is a new one, has been started.
        """
        with self._mutex:
            if (pool, name) not in self.workers:
                self.workers[pool, name] = LiveWorker(self, pool, name, limit, took)
            return self.workers[pool, name]


class LiveWorker:
    """`prefect worker start --type process` for one work pool, with a name and perhaps a limit."""

    def __init__(
        self,
        server: LiveServer,
        pool: str,
        name: str,
        limit: int | None,
        took: Callable[[float], object],
    ) -> None:
        self._server = server
        self._took = took
        self._pool = pool
        self._name = name
        self._limit = [] if limit is None else ["--limit", str(limit)]
        self._log = f"{name} of {pool}"
        self._process: subprocess.Popen[bytes] | None = None
        self._mutex = threading.Lock()

    @property
    def working(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start it, if it is not there, and wait until it has said that it is."""
        with self._mutex:
            if self._process is not None:
                return
            log = self._server.folder / f"{self._log}.log"
            before = log.stat().st_size if log.exists() else 0
            command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process"]
            command += ["--pool", self._pool, "--name", self._name, *self._limit]
            process = self._server.start(self._log, command)
            self._process = process
            began = time.monotonic()
            while b"started!" not in log.read_bytes()[before:]:
                if time.monotonic() > began + START_SECONDS or process.poll() is not None:
                    self._process = None
                    self._server.end(process)
                    said = self._server.said(self._log)
                    raise SimulationError(f"the worker of {self._pool!r} does not start: {said}")
                time.sleep(0.1)
            self._took(time.monotonic() - began)

    def stop(self) -> None:
        """Ask it to end, as a supervisor does (SIGTERM), and wait until it has. What it runs is left
        to itself.
        """
        with self._mutex:
            process, self._process = self._process, None
            if process is None:
                return
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.end(process)
                raise SimulationError(f"the worker of {self._pool!r} does not end") from None
