"""Everything that runs in a simulation, put together and taken apart in order."""

from __future__ import annotations

import contextvars
import os
import shutil
import signal
import sqlite3
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from simulator.alone import only_one
from simulator.caveats import Caveats
from simulator.clock import VirtualClock, counted
from simulator.closing import SimulationEnded, in_silence
from simulator.errors import SimulationError
from simulator.folders import throw_away
from simulator.instants import from_micros
from simulator.progress import Progress

if TYPE_CHECKING:
    from prefect import Flow, Task

    from simulator.history import History
    from simulator.hosts import Hosts
    from simulator.process import Process
    from simulator.warehouse import Warehouse
    from simulator.worker import PoolWorker, Runners


class World:
    """The server, its services, the workers and what they share, on one virtual clock.

    What has been put up is taken down by `stack`, in reverse order, also if the rest fails.
    One process holds at most one: its clock is the process's.
    """

    def __init__(
        self,
        stack: ExitStack,
        start: datetime,
        seed: int,
        stall_limit: float,
        changed: Mapping[str, Any],
        allowed: Hosts,
        fresh: bool,
    ) -> None:
        stack.enter_context(only_one())
        from simulator.patches import freezegun

        self.clock = clock = VirtualClock(start, stall_limit)
        stack.enter_context(freezegun.thawed(clock))
        # Everything that reads a clock is imported before the clock is taken over.
        from prefect.client.orchestration import get_client
        from prefect.logging.handlers import set_api_log_sink

        from simulator.clock import starting_background
        from simulator.faults import Events, Layers, Nodes, Readings, Requests, Starts, Steps
        from simulator.history import Journal, Reader
        from simulator.patches import files, full_disks, network, readers, stdlib
        from simulator.patches import processes as apart
        from simulator.patches.imports import once_imported
        from simulator.patches.prefect import (
            api_version,
            client,
            deployments,
            direct,
            everywhere,
            processes,
            races,
            task_workers,
            timeouts,
        )
        from simulator.patches.prefect import server as prefect_server
        from simulator.process import ProjectModules, Scripts, Seeds, missing_here, remember_modules
        from simulator.server import (
            AsyncTransport,
            Calls,
            Cancellations,
            DeploymentPolls,
            EventFaults,
            Pauses,
            RequestFaults,
            Server,
            StatesOfRuns,
            Suspensions,
            TaskRuns,
            Transport,
            application,
            asking,
            background_services,
            caller,
            database_template,
            log_caveat,
            routes,
            run_id_of_caller,
            run_of_caller,
            settings,
        )
        from simulator.stubs import TEXT, Functions
        from simulator.warehouse import WatchedTables, Writes, warehouse_installed
        from simulator.worker import (
            Flows,
            Pools,
            Runners,
            ScriptRuns,
            SimulatedWorker,
            Sources,
            Starter,
            TaskWorkers,
        )

        self.folder = stack.enter_context(throw_away("prefect-simulator-"))
        database = self.folder / "prefect.db"
        shutil.copyfile(database_template(), database)

        of_this = settings.of_a_simulation(self.folder) | settings.named(changed)
        stack.enter_context(everywhere.settled(of_this))
        stack.enter_context(prefect_server.fresh(application))
        stack.enter_context(prefect_server.joined())
        self.context = contextvars.copy_context()

        self.caveats = Caveats(run_of_caller, log_caveat, lambda: caller()[1])
        stack.enter_context(self.caveats.collecting())
        stack.enter_context(readers.installed(clock))
        self.server = server = Server(clock, database)
        self.database = sqlite3.connect(
            f"file:{database}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        stack.callback(self.database.close)
        missing = lambda error, text: missing_here(error, text, TEXT)  # noqa: E731
        self.journal = Journal(lambda: self.now, missing)
        self.steps = Steps(lambda: self.now, self.database, seed, self.journal)
        who = asking(lambda: self.pools.of_this_thread(), self.steps.cycle)  # noqa: PLW0108  (made later)
        self.requests = Requests(lambda: self.now, who, routes)
        asked = (server, Calls(self.journal), RequestFaults(self.requests, self.journal))
        beating = lambda: settings.beating(self._environment)  # noqa: E731
        self.events = Events(lambda: self.now, self.steps.cycle, beating)
        carry = EventFaults(self.events, self.journal, clock, server.spawn).carry
        server.carry = Pauses(lambda: self.now, self.journal, carry).carry
        clock.witnesses.append(self.written)
        self.polls = DeploymentPolls(clock, self.database, self.written, self.requests.next_read)
        self.suspensions = Suspensions(clock, self.database, self.written)
        self.cancellations = Cancellations(clock, self.database, self.written)
        self.states = StatesOfRuns(clock, self.database, self.written)
        self.worker = SimulatedWorker
        remember_modules()
        modules = ProjectModules() if fresh else None
        self.flows = Flows(self.database, self.folder / "processes", modules)
        self.functions = Functions(modules)
        self.sources = Sources()
        self._environment: dict[str, str] = {}
        self.setenv(stack, settings.for_children(self.folder, allowed.this_machine_only))
        self._seeds = Seeds(seed)
        self.starts, self.exits = (Starts(lambda: self.now, self.steps.cycle) for _ in range(2))
        struck = (self.starts, self.exits, self.journal)
        given = (self.context, self._environment, self._seeds, *struck)
        self._starter = Starter(self.flows, clock, *given)
        self.runners = Runners(
            clock, self.database, self.written, self.context, self._starter, self.cancellations
        )
        started = (clock, self.context, self.database, self._environment, self._seeds)
        self.task_runs = TaskRuns(server)
        self.task_workers = TaskWorkers(*started, self.task_runs)
        self.scripts = ScriptRuns(*started, self.flows, self.task_workers.why_nothing)
        changes = lambda: self.written() + self.requests.strikes  # noqa: E731
        self.pools = Pools(
            *(clock, self.database, changes, self.context),
            *(self._starter, self.cancellations, self.journal),
        )
        self._warehouse: Warehouse | None = None
        self.layers, self.readings = Layers(), Readings(run_id_of_caller, self.journal)
        writes = Writes(self.journal, run_id_of_caller, self.readings)
        self.nodes = Nodes(lambda: self.now, self.steps.cycle, run_id_of_caller, self.journal)
        dbt = self.nodes.invoked
        self._tables = WatchedTables(clock, lambda: self.warehouse, self.journal)
        self._history: tuple[tuple[int, datetime, int], History] | None = None
        self._reader = Reader(lambda: self.clock.timeline)

        server.start()
        stack.callback(server.stop)
        stack.enter_context(settings.quiet_console())
        # With it dbt brings a library that gives the root logger a handler to the console.
        stack.enter_context(once_imported("snowplow_tracker.emitters", settings.quiet_console))
        stack.enter_context(warehouse_installed(lambda: clock.now, self.folder, writes, dbt))
        stack.enter_context(stdlib.installed(clock, self.context, self.polls.sleep))
        stack.enter_context(
            client.installed(
                clock,
                lambda: Transport(*asked),
                lambda: AsyncTransport(*asked),
                server.publish,
                server.subscribe,
                self.polls.asleep,
                self.steps.around_flow,
                self.steps.around_task,
                self.suspensions.observe,
            )
        )
        self.disks = stack.enter_context(full_disks.watched())
        stack.enter_context(files.told_of_reading(self.readings.opened))
        stack.enter_context(processes.installed())
        stack.enter_context(timeouts.installed(clock))
        stack.enter_context(races.decided(clock, seed))
        stack.enter_context(api_version.asked_by_each())
        stack.enter_context(direct.installed(Scripts(clock, self.context, self._seeds.next)))
        refused = lambda host, where: self.journal.note(  # noqa: E731
            "refused", host, where=where, run_id=run_id_of_caller()
        )
        guard = network.Guard(allowed, caller, refused)
        stack.enter_context(network.guarded(guard, settings.HOST, server.door))
        known = (self.flows.know, self.runners.serve, self.sources.folder_of)
        stack.enter_context(deployments.installed(*known))
        stack.enter_context(apart.installed(clock, seed, modules))
        stack.enter_context(
            task_workers.installed(
                self.task_runs.ask,
                self.task_runs.came,
                self.task_workers.serve,
                self.task_workers.check,
            )
        )
        set_api_log_sink(server.logs.append)
        stack.callback(set_api_log_sink, None)
        self.services = background_services(server, clock, self.database, self.written)
        self.progress = Progress(lambda: self.now, self.database)
        for source in (
            *(self.services, self.polls, self.suspensions, self.cancellations, self._tables),
            *(self.pools, self.progress, self.states),
        ):
            clock.add_source(source)
        self.client = stack.enter_context(get_client(sync_client=True))
        with starting_background(self.context):
            client.start_background_loops()
        self.at_end = stack.enter_context(ExitStack())
        stack.callback(self._end_threads)

    def _end_threads(self) -> None:
        """End every thread of the simulation: flows first, then workers, then what serves them."""
        from simulator.clock import join_counted
        from simulator.patches.prefect import client
        from simulator.process import give_up
        from simulator.warehouse import stop_statement

        stop_statement()
        with in_silence():
            self.clock.close(SimulationEnded)
            left = join_counted(self.clock, background=False)
        give_up()
        for worker in self.pools.workers():
            worker.close()
        self.runners.close()
        client.stop_background_loops()
        left += join_counted(self.clock, background=True)
        if self._warehouse is not None:
            self._warehouse.close()
        if left:
            warnings.warn(
                f"still running after the simulation: {', '.join(left)}",
                ResourceWarning,
                stacklevel=2,
            )

    def written(self) -> int:
        """A number that changes whenever the server has written something."""
        return int(self.database.execute("pragma data_version").fetchone()[0])

    # -- time --------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return from_micros(self.clock.instant)

    def advance_to(self, until: datetime) -> None:
        _outside_of_flows("advance: in a flow, time passes by time.sleep or asyncio.sleep")
        with self.progress.until(until):
            self.clock.drive(until)

    def history(self) -> History:
        """Everything that has happened so far. What was written since is read when there is any."""
        from simulator.history import History

        if counted() is None:  # a flow that asks would wait for itself
            self.clock.rest()
        self.server.write_waiting_logs()
        notes = self.journal.notes
        state = self.written(), self.now, len(notes)
        if self._history is None or self._history[0] != state:
            file = self.folder / "prefect.db"
            history = History.read(file, now=self.now, reader=self._reader, notes=notes)
            self._history = state, history
        return self._history[1]

    # -- flows and their processes -----------------------------------------------------------------

    def check(self, flow: Flow[..., Any]) -> None:
        """Every flow of this process can run here."""

    def process_options(self, job_variables: dict[str, Any] | None) -> dict[str, Any]:
        return {"job_variables": job_variables}

    def deployed(self, deployment_id: UUID, flow: Flow[..., Any]) -> None:
        """It is known already, as every deployment that is made of a flow of this process."""

    def source(self, url: str, folder: Path) -> None:
        self.sources.put(url, folder)

    def watch(self, table: str, column: str) -> None:
        self._tables.watch(table, column)

    def setenv(self, stack: ExitStack, variables: Mapping[str, str]) -> None:
        self._environment.update(variables)
        for name, value in variables.items():
            stack.callback(_set_environment, name, os.environ.get(name))
            os.environ[name] = value

    def run(self, flow: Flow[..., Any], parameters: Mapping[str, Any]) -> UUID:
        _outside_of_flows("run: in a flow, call the other flow itself")
        return self.scripts.run(flow, parameters)

    @property
    def results(self) -> Mapping[UUID, Any]:
        return self.scripts.results

    def serve_tasks(self, tasks: Iterable[Task[..., Any]], limit: int | None) -> None:
        self.task_workers.serve(tasks, limit)

    def kill(self, run_id: UUID, exit_code: int) -> None:
        from simulator.process import signals

        process = self.process_of(run_id)
        self.journal.here("order", f"killed, exit code {exit_code}", run_id=run_id)
        if exit_code in (-signal.SIGTERM, 128 + signal.SIGTERM):
            signals.of(process).send(signal.SIGTERM)
        else:
            process.kill(exit_code)

    def ensure_pool(self, name: str) -> None:
        self.pools.ensure(name)

    def process_of(self, run_id: UUID) -> Process:
        """The process in which a worker runs a flow run, or the parent of a subflow, now.

        Raises SimulationError if there is none.
        """
        asked: str | None = str(run_id)
        while asked is not None:
            owners: list[PoolWorker | Runners] = [*self.pools.workers(), self.runners]
            for owner in owners:
                if (process := owner.process_of(UUID(asked))) is not None:
                    return process
            row = self.database.execute(_PARENT, [asked]).fetchone()
            asked = None if row is None else row[0]
        raise SimulationError(f"no worker runs the flow run {str(run_id)!r} now")

    def flow_names(self) -> set[str]:
        """The flows that the server knows."""
        return {row[0] for row in self.database.execute("select name from flow")}

    def deployment_names(self) -> set[str]:
        """The deployments that the server knows, as "flow/deployment"."""
        return {row[0] for row in self.database.execute(_DEPLOYMENTS)}

    @property
    def warehouse(self) -> Warehouse:
        """The DuckDB file, made when first asked for."""
        from simulator.warehouse import Warehouse

        if self._warehouse is None:
            self._warehouse = Warehouse(self.folder / "warehouse.duckdb")
        return self._warehouse


_PARENT = """
select caller.flow_run_id
from flow_run run join task_run caller on caller.id = run.parent_task_run_id
where run.id = ? and run.deployment_id is null
"""

_DEPLOYMENTS = "select f.name || '/' || d.name from deployment d join flow f on f.id = d.flow_id"


def _outside_of_flows(what: str) -> None:
    """Refuse what cannot be done inside a flow, with what to do there in its stead."""
    if counted() is not None:
        raise SimulationError(f"Simulation.{what}")


def _set_environment(name: str, value: str | None) -> None:
    """Set an environment variable, or remove it (None)."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
