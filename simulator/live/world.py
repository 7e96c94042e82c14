"""The live engine: one simulation on a real Prefect server, in real time.

What a `Simulation` does through the virtual engine it does here through processes: scripts and the
runs of deployments are processes of their own, which learn from a file what steps take and what goes
wrong in them (`simulator.ordered`).
"""

from __future__ import annotations

import importlib
import itertools
import operator
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import prefect.settings as names
from prefect.client.orchestration import get_client
from prefect.settings import temporary_settings
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from simulator.errors import SimulationError, UnsupportedOperation
from simulator.history import History, RunRecord
from simulator.live.server import LiveServer, LiveWorker
from simulator.ordered import VARIABLE, Orders
from simulator.warehouse import Warehouse
from simulator.workers import Workers, first_of

if TYPE_CHECKING:
    from pathlib import Path

    from prefect import Flow, Task

    from simulator.caveats import Caveat

__all__ = ["LiveServer", "LiveWorld"]

SCRIPT_SECONDS = 300.0
"""Real seconds after which a script is taken for one that waits for what can never happen."""


_numbers = itertools.count(1)


class LiveWarehouse(Warehouse):
    """The file of flows that run in processes of their own."""

    def keep_open(self) -> None:
        """Nothing: those processes would find it locked."""


class LiveWorld:
    """One simulation's share of a live server: the scripts it runs, the deployments it makes, and
    all that these call.
    """

    worker = ProcessWorker
    caveats: tuple[Caveat, ...] = ()
    results: Mapping[UUID, Any] = {}  # they stay in the processes of the scripts
    """Nothing of it is simulated."""

    def __init__(self, stack: ExitStack, server: LiveServer, seed: int) -> None:
        self._server = server
        self.folder = server.folder / f"simulation-{next(_numbers)}"
        self.folder.mkdir()
        self.steps = self.functions = Orders(self.folder, server.database, seed)
        self.steps.write()
        self.pools: dict[str, Workers[LiveWorker]] = {}
        self._deployments: set[str] = set()
        self._scripts: set[UUID] = set()
        self.start_seconds: list[float] = []
        """For each script the seconds until its flow had its first state, for each worker that was
        started the seconds until it was there.
        """
        self._warehouse: Warehouse | None = None
        stack.enter_context(
            temporary_settings(
                {
                    names.PREFECT_HOME: server.folder,
                    names.PREFECT_PROFILES_PATH: server.folder / "profiles.toml",
                    names.PREFECT_API_URL: server.url,
                }
            )
        )
        self.client = stack.enter_context(get_client(sync_client=True))

    # -- time --------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def advance_to(self, until: datetime) -> None:
        time.sleep(max(0.0, (until - self.now).total_seconds()))

    # -- flows and their processes -----------------------------------------------------------------

    def check(self, flow: Flow[..., Any]) -> None:
        module, name = flow.__module__, flow.fn.__qualname__
        try:
            found = operator.attrgetter(name)(importlib.import_module(module))
        except (ImportError, AttributeError):
            found = None
        if found is not flow or module == "__main__":
            raise SimulationError(
                f"flow {flow.name!r} is not what other processes find as {module}.{name}:"
                " a live simulation needs flows at the top level of a module"
            )

    def process_options(self, job_variables: dict[str, Any] | None) -> dict[str, Any]:
        given = job_variables or {}
        return {
            "entrypoint_type": EntrypointType.MODULE_PATH,
            "job_variables": {
                "command": f"{sys.executable} -m simulator.ordered",
                **given,
                "env": {**given.get("env", {}), VARIABLE: str(self.steps.file)},
            },
        }

    def deployed(self, deployment_id: UUID, flow: Flow[..., Any]) -> None:
        name = self.client.read_deployment(deployment_id).name
        self._deployments.add(f"{flow.name}/{name}")

    def setenv(self, stack: ExitStack, variables: Mapping[str, str]) -> None:  # noqa: ARG002
        self.steps.environment.update(variables)
        self.steps.write()

    def run(self, flow: Flow[..., Any], parameters: Mapping[str, Any]) -> UUID:
        number = f"script-{next(_numbers)}"
        order, answer = self.folder / f"{number}.pickle", self.folder / f"{number}.answer"
        order.write_bytes(pickle.dumps((flow.__module__, flow.fn.__qualname__, dict(parameters))))
        began = self.now
        process = self._server.start(
            number,
            [sys.executable, "-m", "simulator.ordered", str(order), str(answer)],
            {VARIABLE: str(self.steps.file)},
        )
        try:
            process.wait(SCRIPT_SECONDS)
        except subprocess.TimeoutExpired:
            raise SimulationError(
                f"flow {flow.name!r} has not ended within {SCRIPT_SECONDS:g} s"
            ) from None
        finally:
            self._server.end(process)
        if not answer.exists():
            raise SimulationError(
                f"flow {flow.name!r} has ended before it began: {self._server.said(number)}"
            )
        run_id = UUID(answer.read_text())
        self._scripts.add(run_id)
        first = self.history().run(run_id).states[0]
        self.start_seconds.append((first.timestamp - began).total_seconds())
        return run_id

    def serve_tasks(self, tasks: Iterable[Task[..., Any]], limit: int | None) -> None:  # noqa: ARG002
        raise UnsupportedOperation(
            "serve_tasks: on a live server, serve tasks by prefect.task_worker.serve in a process"
        )

    def watch(self, table: str, column: str) -> None:  # noqa: ARG002
        raise UnsupportedOperation("promise: on a live engine no table is watched")

    def source(self, url: str, folder: Path) -> None:  # noqa: ARG002
        raise UnsupportedOperation("source: a live worker clones repositories itself")

    def kill(self, run_id: UUID, exit_code: int) -> None:
        number = {137: -signal.SIGKILL, 143: -signal.SIGTERM}.get(exit_code, exit_code)
        if number >= 0:
            raise SimulationError(f"exit_code={exit_code} must be that of a signal, such as -9")
        run: RunRecord | None = self.history().run(run_id)
        while run is not None:
            file = self.folder / "processes" / str(run.id)
            if file.exists():
                os.kill(int(file.read_text()), -number)
                return
            run = run.parent if run.deployment is None else None
        raise SimulationError(f"no worker runs the flow run {str(run_id)!r} now")

    # -- what is in it -----------------------------------------------------------------------------

    def ensure_pool(self, name: str) -> None:
        if name not in self.pools:

            def make(worker: str, limit: int | None) -> LiveWorker:
                return self._server.worker(name, worker, limit, self.start_seconds.append)

            self.pools[name] = Workers(name, make)
            self.pools[name].start(first_of(name))

    def history(self) -> History:
        everything = History.read(self._server.database, now=self.now)
        return everything.only(
            lambda run: run.id in self._scripts or run.deployment in self._deployments
        )

    def flow_names(self) -> set[str]:
        return set(self.history().flows)

    def deployment_names(self) -> set[str]:
        return set(self._deployments)

    @property
    def warehouse(self) -> Warehouse:
        if self._warehouse is None:
            self._warehouse = LiveWarehouse(self.folder / "warehouse.duckdb")
        return self._warehouse
