"""A stock Prefect server as a process of its own, on loopback, in real time."""

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
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simulator.errors import SimulationError

START_SECONDS = 120.0
"""Real seconds in which a server or a worker has to be there, and a worker to go."""


class StockServer(ABC):
    """`prefect server start` on a free port of 127.0.0.1, on a copy of a database.

    A context manager, with a throw-away home. At its end every process is ended that it has started,
    and all that these have.

    `settings`: Prefect settings of all its processes, by the names of their environment variables. The
    user's own do not hold.

    Raises SimulationError if the server does not start.
    """

    options: tuple[str, ...] = ()
    """Of `prefect server start`, beside its address."""

    database_name = "prefect.db"

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = dict(settings or {})
        self._mutex = threading.RLock()
        self.processes: list[subprocess.Popen[bytes]] = []
        self._ended = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
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

    @abstractmethod
    def _database(self) -> Path:
        """What its database is a copy of."""

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
        """Its SQLite file."""
        return self.folder / self.database_name

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
                raise SimulationError("the Prefect server has ended")
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

    def _end(self) -> None:
        """End every process, the newest one first, and let no more be started."""
        with self._mutex:
            self._ended = True
            for process in reversed(list(self.processes)):
                self.end(process)


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
