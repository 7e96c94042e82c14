"""A user's account on Prefect Cloud, which no test may reach: a stand-in on the loopback that counts.

Whatever escapes from a simulation goes to where the user's own settings lead, and comes by here.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

PROFILES = """\
active = "cloud"

[profiles.cloud]
PREFECT_CLOUD_API_URL = "{cloud}"
PREFECT_API_URL = "{cloud}/accounts/{account}/workspaces/{workspace}"
PREFECT_API_KEY = "pnu_secret"
"""
ACCOUNT = "00000000-0000-4000-8000-000000000001"
WORKSPACE = "00000000-0000-4000-8000-000000000002"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Cloud:
    """Listens on the loopback, on a thread in real time, and lets nobody in.

    `running`: the tests that run, as whoever runs them keeps it; xdist's workers say so a moment late.
    `visits`: each connection, in words.
    """

    def __init__(self, running: Sequence[str]) -> None:
        self.visits: list[str] = []
        self._running = running
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, name="Prefect Cloud", daemon=True).start()

    def profiles(self) -> str:
        """What stands in the `profiles.toml` of a user of it."""
        host, port = self._socket.getsockname()
        url = f"http://{host}:{port}/api"
        return PROFILES.format(cloud=url, account=ACCOUNT, workspace=WORKSPACE)

    def _listen(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            during = " and ".join(self._running) or "no test"
            self.visits.append(f"somebody who said nothing, during {during}")
            with connection, suppress(OSError):
                connection.settimeout(5)
                if said := connection.recv(4096).partition(b"\r\n")[0].decode(errors="replace"):
                    self.visits[-1] = f"{said!r}, during {during}"
                connection.sendall(REFUSED)


class NobodyReachesTheCloud:
    """A plugin of pytest: the session, and every process that it starts, is that of a user of Prefect
    Cloud, and fails if the Cloud was reached, a database was made in the user's home, or the profile changed.
    """

    def __init__(self, config: pytest.Config) -> None:
        assert "prefect" not in sys.modules, "Prefect has read another profile already"
        home = tempfile.TemporaryDirectory(prefix="prefect-user-")
        config.add_cleanup(home.cleanup)
        self._running: list[str] = []
        self._cloud = Cloud(self._running)
        self._home = Path(home.name)
        self._profiles = self._home / "profiles.toml"
        self._profiles.write_text(self._cloud.profiles())
        patched = pytest.MonkeyPatch()
        config.add_cleanup(patched.undo)
        for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE"):
            patched.delenv(name, raising=False)
        patched.setenv("PREFECT_HOME", os.fspath(self._home))
        patched.setenv("PREFECT_PROFILES_PATH", os.fspath(self._profiles))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running.append(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._running.remove(nodeid)

    @pytest.hookimpl(trylast=True)  # once xdist's workers are gone
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._broken() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if broken := self._broken():
            terminalreporter.write_line(f"ERROR: {broken}", red=True)

    def _broken(self) -> str | None:
        """What must not have happened, in one line."""
        if visits := self._cloud.visits:
            return (
                f"the user's Prefect Cloud was reached {len(visits)} time(s), first by {visits[0]}"
            )
        if (self._home / "prefect.db").exists():
            return "the user's own database was made"
        if self._profiles.read_text() != self._cloud.profiles():
            return "the user's own profiles were written to"
        return None


def pytest_configure(config: pytest.Config) -> None:
    """Let the whole session be that of a user of Prefect Cloud; xdist's workers inherit it."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(NobodyReachesTheCloud(config))
