"""Starts the scripts of a live server by forking, so that Prefect is imported once and not for each.

A script of a live simulation is `python -m simulator.ordered`, and spends most of its time on imports.
Here a process with a single thread has done them, and each script is a fork of it which does what that
command does. Workers and what they start are what they always are.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from simulator.live import LiveServer

PRELOADED = """
duckdb filelock httpx sqlite3 simulator.ordered.__main__ prefect.flow_engine prefect.task_engine
prefect.deployments prefect.transactions prefect.variables prefect.artifacts prefect.concurrency.sync
"""


class ForkingServer(LiveServer):
    """A live server whose scripts are forks of a process that has imported Prefect."""

    def __enter__(self) -> ForkingServer:
        super().__enter__()
        self._asked = threading.Lock()
        self._forks: dict[str, _Fork] = {}
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
            cwd=self.folder,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *failure: Any) -> None:
        try:
            super().__exit__(*failure)
        finally:
            self._zygote.stdin.close()
            self._zygote.wait()

    def _listen(self) -> None:
        for line in self._zygote.stdout:
            self._forks[json.loads(line)["name"]].told(json.loads(line))
        for fork in list(self._forks.values()):  # nobody can tell of them any more
            fork.told({"pid": 0})
            fork.told({"code": 1})

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> Any:
        if command[1:3] != ["-m", "simulator.ordered"]:
            return super().start(name, command, environment)
        fork = self._forks[name] = _Fork()
        log = str(self.folder / f"{name}.log")
        asked = {"name": name, "argv": command[3:], "log": log, "environment": environment}
        with self._asked:
            self._zygote.stdin.write(json.dumps(asked) + "\n")
            self._zygote.stdin.flush()
        fork.begun.wait()
        with self._mutex:
            self.processes.append(fork)
            self._watched.write(b"+%d\n" % fork.pid)
            self._watched.flush()
        return fork


class _Fork:
    """As much of a Popen as a live server needs."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self._ended = threading.Event()
        self.pid = 0
        self.returncode: int | None = None

    def told(self, what: dict[str, Any]) -> None:
        if "pid" in what:
            self.pid = self.pid or what["pid"]
            self.begun.set()
        else:
            self.returncode = what["code"]
            self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("a forked script", timeout or 0)
        return self.returncode


def _serve() -> None:
    for name in PRELOADED.split():
        __import__(name)
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    running: dict[int, str] = {}
    asked = b""
    while True:
        if select.select([0], [], [], 0.1)[0]:
            more = os.read(0, 65536)
            if not more:
                return
            asked += more
        while b"\n" in asked:
            line, asked = asked.split(b"\n", 1)
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _become(order)
            running[pid] = order["name"]
            _say(name=order["name"], pid=pid)
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            _say(name=running.pop(pid), code=os.waitstatus_to_exitcode(status))


def _say(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    """Be the script that was asked for, and end as it ends."""
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, file in enumerate((nothing, log, log)):
        os.dup2(file, stream)
    os.environ.update(order["environment"] or {})
    __import__("random").seed()
    sys.argv = ["simulator.ordered", *order["argv"]]
    code = 1
    try:
        runpy.run_module("simulator.ordered", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    os._exit(_shut_down(code))


def _shut_down(code: int) -> int:
    """What an interpreter does at its end, of which `os._exit` does nothing."""
    try:
        threading._shutdown()
        __import__("atexit")._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    return code


if __name__ == "__main__":
    _serve()
