"""A real Prefect server and its process workers, as child processes on loopback, in real time."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simulator.errors import SimulationError
from simulator.server import database_template, settings

START_SECONDS = 120.0
"""Real seconds in which a server or a worker has to be there, and a worker to go."""


class LiveServer:
    """`prefect server start` on a free port of 127.0.0.1, with a throw-away home and database.

    A context manager; it may be shared by several live simulations, also in several threads. At its
    end every process is ended that it has started, and every process that its workers have.

    `settings`: Prefect settings of the server, its workers and all flows, by the names of their
    environment variables. The user's own do not hold.

    Raises SimulationError for a setting that Prefect does not know, or if the server does not start.
    """

    options: tuple[str, ...] = ("--no-ui",)
    """Of `prefect server start`, beside its address."""

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = dict(settings or {})
        self.workers: dict[str, LiveWorker] = {}
        self._mutex = threading.RLock()
        self.processes: list[subprocess.Popen[bytes]] = []
        self._ended = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        settings.named(self._settings)
        with ExitStack() as stack:
            self.folder = Path(tempfile.mkdtemp(prefix="prefect-live-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            shutil.copyfile(self._database(), self.database)
            self.port = _free_port()
            self.environment = self._environment()
            self._watch(stack)
            stack.callback(self._end)
            address = ["--host", "127.0.0.1", "--port", str(self.port)]
            command = [sys.executable, "-m", "prefect", "server", "start", *address]
            command += self.options
            self._await_health(self.start("server", command))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _database(self) -> Path:
        """What its database is a copy of."""
        return database_template()

    def _watch(self, stack: ExitStack) -> None:
        """Let a process watch over the others: should this one die, it ends them all."""
        watch = subprocess.Popen(
            [sys.executable, "-S", "-c", _WATCH, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        stack.callback(watch.wait)
        assert watch.stdin is not None
        self._watched = stack.enter_context(watch.stdin)

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def database(self) -> Path:
        """Its SQLite file.

        With ":memory:" in the name Prefect uses a single connection. With more of them its server
        comes to a halt on a busy machine: one of them holds the lock for writing, another one waits
        for it, for up to a minute, and keeps the thread waiting in which the first would go on.
        """
        return self.folder / "prefect:memory:.db"

    def _environment(self) -> dict[str, str]:
        """Of all its processes: the caller's, without the Prefect settings in it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        given = {name: str(value) for name, value in self._settings.items()}
        return own | given | {
            "TMPDIR": str(self.folder),  # workers leave folders there when they are ended
            "PREFECT_HOME": str(self.folder),
            "PREFECT_PROFILES_PATH": str(self.folder / "profiles.toml"),
            "PREFECT_API_URL": self.url,
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.database}",
            "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }  # fmt: skip

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process that leads a group of its own; what it says goes to a log file."""
        with self._mutex, (self.folder / f"{name}.log").open("ab") as log:
            if self._ended:
                raise SimulationError("the live server has ended")
            process = subprocess.Popen(
                [sys.executable, "-S", "-c", _BEGIN, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment | dict(environment or {}),
                cwd=self.folder,
                start_new_session=True,
            )
            self.processes.append(process)
            self._watched.write(b"+%d\n" % process.pid)
            self._watched.flush()
            return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process and all of its group, at once."""
        with self._mutex:
            if process not in self.processes:
                return
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
            self.processes.remove(process)
            self._watched.write(b"-%d\n" % process.pid)
            self._watched.flush()

    def said(self, name: str) -> str:
        """The end of a process's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def _await_health(self, server: subprocess.Popen[bytes]) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            try:
                with opener.open(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise SimulationError(f"the Prefect server does not start: {self.said('server')}")

    def worker(self, pool: str, took: Callable[[float], object]) -> LiveWorker:
        """The worker of a work pool that is there, started at the first call.

        `took` is told the seconds whenever this worker, if it is a new one, has been started.
        """
        with self._mutex:
            if pool not in self.workers:
                self.workers[pool] = LiveWorker(self, pool, took)
            worker = self.workers[pool]
        worker.start()
        return worker

    def _end(self) -> None:
        """End every process, the newest one first, and let no more be started."""
        with self._mutex:
            self._ended = True
            for process in reversed(list(self.processes)):
                self.end(process)


class LiveWorker:
    """`prefect worker start --type process` for one work pool."""

    def __init__(self, server: LiveServer, pool: str, took: Callable[[float], object]) -> None:
        self._server = server
        self._took = took
        self._pool = pool
        self._name = f"worker of {pool.replace('/', '_')}"
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
            log = self._server.folder / f"{self._name}.log"
            before = log.stat().st_size if log.exists() else 0
            command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process"]
            process = self._server.start(
                self._name, [*command, "--pool", self._pool, "--name", self._name]
            )
            self._process = process
            began = time.monotonic()
            while b"started!" not in log.read_bytes()[before:]:
                if time.monotonic() > began + START_SECONDS or process.poll() is not None:
                    self._process = None
                    self._server.end(process)
                    said = self._server.said(self._name)
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


# A shell that starts something in the background lets it ignore SIGINT, and so all that it starts in
# turn; but Prefect's own worker ends itself by that signal.
_BEGIN = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""

_WATCH = """
import os, shutil, signal, sys
groups = []
for line in sys.stdin:  # until the other end is closed, by whatever
    started, number = line[0] == "+", int(line[1:])
    groups.append(number) if started else groups.remove(number)
for group in reversed(groups):
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
