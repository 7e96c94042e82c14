"""`Simulation`: the one object that a user holds."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID

from simulator import arguments, collecting, green, versions
from simulator.arguments import calls, kinds
from simulator.engine import NOT_KEPT
from simulator.errors import SimulationError
from simulator.faults import Faults, Raise
from simulator.history import Explaining
from simulator.hosts import Hosts
from simulator.promises import Promising
from simulator.stubs import Stubbing

if TYPE_CHECKING:
    from prefect import Flow, Task
    from prefect.client.schemas.objects import ConcurrencyLimitConfig

    from simulator.caveats import Caveat
    from simulator.engine import Engine, WorkersOfPool
    from simulator.faults import Duration, Fault
    from simulator.history import History, RunRecord
    from simulator.live import LiveServer
    from simulator.warehouse import Warehouse


class Simulation(Promising, Explaining, Stubbing):
    """A Prefect server, its scheduler, its workers and your flows, living on virtual time.

    Use it as a context manager. One process holds at most one at a time: parallel simulations are
    parallel processes. `Simulation.live` opens the same on a real server, in real time.

    `start`: the first instant, an aware datetime or ISO 8601 text with an offset; by default that at
    which freezegun or time-machine have frozen the time, or else 2026-01-01T00:00:00Z.
    `seed`: decides every random fault and duration.
    `stall_limit`: real seconds for which something may hold the clock without progress.
    `settings`: Prefect settings that differ from the defaults, by the names of their environment
    variables, such as `{"PREFECT_WORKER_QUERY_SECONDS": 1}`.
    `allow_network`: hosts beyond this machine that may be reached, by name ("*.example.com"),
    address or network ("10.0.0.0/8"), with a port if need be. A connection to any other is refused.
    `modules`: with "fresh", each run imports the modules of your project anew, as the process of a
    real worker does; with "shared", all runs have those of the test, its lists and mocks as well, and
    what that makes wrong is among the caveats.

    Raises SimulationError, as every other call does, in one line for each argument that cannot be
    what it should be; when it opens, if another simulation is open, or if a Prefect is installed that
    it does not know, or a library that is known to break that Prefect.
    """

    @calls.simulation
    def __init__(
        self,
        start: datetime | str | None = None,
        seed: int = 0,
        stall_limit: float = 60.0,
        settings: Mapping[str, Any] | None = None,
        allow_network: Collection[str] = (),
        modules: Literal["shared", "fresh"] = "shared",
    ) -> None:
        from simulator.patches.frozen_time import frozen_start

        super().__init__()
        self.start = arguments.instant("start", start or frozen_start() or "2026-01-01T00:00:00Z")
        self.seed = seed
        self.stall_limit = stall_limit
        self._stack: ExitStack | None = None
        self._known: dict[str, bool] = {}
        self._flows: dict[UUID, Flow[..., Any]] = {}
        self._world: Engine
        self._faults = Faults(seed)
        self._start: Callable[[ExitStack], Engine] = self._virtually
        self._settings = dict(settings or {})
        self._allowed = Hosts(allow_network)
        self._modules = modules
        if settings:
            from simulator.server.settings import named

            named(settings)

    @classmethod
    @calls.live
    def live(
        cls,
        server: LiveServer | None = None,
        *,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """The same on a real Prefect server with real process workers, in real time, on loopback.

        For those who doubt the virtual engine: what runs on one runs on the other. Flows must be
        importable, as in any process of their own; `advance` waits; faults are declared before the
        processes start that they shall reach. `server`: one that is running already, shared by
        several simulations, whose deployments and work pools must differ by name; else one is
        started with `settings`, and ended with the simulation. `start` is the time of opening.
        """
        versions.check()
        from simulator.live import LiveServer, LiveWorld

        if server is not None:
            kinds.an(LiveServer, right="a LiveServer")("server", server)
            if settings:
                raise SimulationError("settings belong to a server: give them to LiveServer")
        simulation = cls(seed=seed)

        def start(stack: ExitStack) -> Engine:
            used = server or stack.enter_context(LiveServer(settings))
            world = LiveWorld(stack, used, seed)
            simulation.start = world.now
            return world

        simulation._start = start
        return simulation

    def _virtually(self, stack: ExitStack) -> Engine:
        green.refuse()
        from simulator.patches.freezegun import put_away

        with put_away():
            from simulator.world import World
        fresh = self._modules == "fresh"
        return World(
            stack, self.start, self.seed, self.stall_limit, self._settings, self._allowed, fresh
        )

    # -- life ------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """A throw-away folder of this simulation, deleted at its end."""
        self._opened()
        return self._world.folder

    def __enter__(self) -> Self:
        versions.check()
        with ExitStack() as stack:
            stack.enter_context(collecting.seldom())
            self._world = self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._keep_promises()
        finally:
            stack, self._stack = self._stack, None
            if stack is not None:
                stack.close()
        if error is None:
            self._faults.tell_silent(self._world)

    def _opened(self) -> None:
        if self._stack is None:
            reason = "is closed: what happened in it is read in its `with` block"
            if not hasattr(self, "_world"):
                reason = "is not open: use it in a `with` block"
            raise SimulationError(f"the simulation {reason}")

    # -- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The virtual time: aware UTC, to the millisecond."""
        self._opened()
        now = self._world.now
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    @calls.advance
    def advance(
        self,
        by: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let virtual time pass. What is due in between happens, at its instant, in order. A run
        that is due at the very end begins with the next step: two steps are as good as one.

        Raises SimulationError for a negative duration, ClockStalled if something holds the clock.
        """
        try:
            step = by or timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            until = self._world.now + step
        except OverflowError:
            raise SimulationError("advance by so much goes beyond all dates") from None
        if step < timedelta(0):
            raise SimulationError(f"advance by {step.total_seconds():g} s must be 0 or more")
        self._world.advance_to(kinds.instant("advance to", until))

    @calls.advance_to
    def advance_to(self, instant: datetime | str) -> None:
        """Let virtual time pass until `instant`.

        Raises SimulationError for a naive instant, or one in the past.
        """
        until = arguments.instant("instant", instant)
        if until < self.now:
            raise SimulationError(
                f"advance_to({until:%Y-%m-%dT%H:%M:%SZ}) lies before now,"
                f" {self.now:%Y-%m-%dT%H:%M:%SZ}"
            )
        self._world.advance_to(until)

    # -- deployments -------------------------------------------------------------------------------

    @calls.deploy
    def deploy(
        self,
        flow: Flow[..., Any],
        name: str,
        work_pool: str = "default",
        *,
        cron: str | Iterable[str] | None = None,
        timezone: str | None = None,
        interval: timedelta | float | None = None,
        rrule: str | None = None,
        schedule: Any = None,
        schedules: Any = None,
        parameters: dict[str, Any] | None = None,
        tags: list[str] | None = None,
        concurrency_limit: int | ConcurrencyLimitConfig | Mapping[str, Any] | None = None,
        work_pool_name: str | None = None,
        work_queue_name: str | None = None,
        paused: bool | None = None,
        triggers: Any = None,
        description: str | None = None,
        version: str | None = None,
        enforce_parameter_schema: bool = True,
        job_variables: dict[str, Any] | None = None,
    ) -> UUID:
        """Make a real deployment of `flow`, in a work pool with a worker. Returns its id.

        The arguments are those of Prefect's `Flow.deploy`. In addition, `timezone` (an IANA name)
        applies to `cron`, `interval` or `rrule`, and `work_pool` is short for `work_pool_name`.
        `schedule`, `schedules` and `concurrency_limit` may also be given as in a prefect.yaml:
        `{"cron": "0 6 * * *", "timezone": "Europe/Paris"}`, `{"limit": 1, "collision_strategy": ...}`.
        The first run is due after now, as on any server, which gets to a schedule within seconds: a
        cron of the very instant at which a simulation starts fires at its next date.

        Raises SimulationError for a bad cron expression or time zone.
        """
        from simulator import deploying

        self._world.check(flow)
        if enforce_parameter_schema:
            arguments.check_parameters_of(flow, parameters or ())
        pool = work_pool_name or work_pool
        self.work_pool(pool)
        if work_queue_name is not None:
            deploying.ensure_queue(self._world.client, pool, work_queue_name)
        deployment_id = deploying.deploy(
            flow,
            name,
            timezone=timezone,
            cron=cron,
            interval=interval,
            rrule=rrule,
            schedule=schedule,
            schedules=schedules,
            parameters=parameters,
            tags=tags,
            concurrency_limit=concurrency_limit,
            work_pool_name=pool,
            work_queue_name=work_queue_name,
            paused=paused,
            triggers=triggers,
            description=description,
            version=version,
            enforce_parameter_schema=enforce_parameter_schema,
            **self._world.process_options(job_variables),
        )
        self._world.deployed(deployment_id, flow)
        self._flows[deployment_id] = flow
        return deployment_id

    @calls.work_pool
    def work_pool(self, name: str, concurrency_limit: int | None = None) -> None:
        """Make a work pool with a worker, or set the concurrency limit of one that is there."""
        from simulator import deploying

        deploying.ensure_pool(self._world.client, name, self._world.worker, concurrency_limit)
        self._world.ensure_pool(name)

    @calls.work_queue
    def work_queue(
        self,
        name: str,
        work_pool: str = "default",
        *,
        concurrency_limit: int | None = None,
        priority: int | None = None,
    ) -> None:
        """Make a work queue in a pool, or change the limit and priority of one that is there."""
        from simulator import deploying

        self.work_pool(work_pool)
        deploying.ensure_queue(self._world.client, work_pool, name, concurrency_limit, priority)

    @calls.serve_tasks
    def serve_tasks(self, *tasks: Task[..., Any], limit: int | None = 10) -> None:
        """Start a task worker: what `Task.delay`, `Task.apply_async` and PrefectTaskRunner wait for.

        It serves these tasks until the simulation ends, so many at a time (None: no limit), as
        `prefect.task_worker.serve` does in a process of its own.
        """
        self._world.serve_tasks(tasks, limit)

    @calls.source
    def source(self, url: str, folder: Path | str) -> None:
        """Let a folder of this machine stand for a git repository, wherever Prefect would clone it.

        Whatever branch or commit is asked for, it is the folder as it stands. Raises SimulationError
        for a folder that is not there.
        """
        self._world.source(url, Path(folder))

    @calls.stop_worker
    def stop_worker(self, work_pool: str = "default", name: str | None = None) -> None:
        """Let a pool's workers, or the one of this name, take nothing until `start_worker`. What runs
        goes on.
        """
        self._pool(work_pool).stop(name)

    @calls.start_worker
    def start_worker(
        self, work_pool: str = "default", name: str | None = None, *, limit: int | None = None
    ) -> None:
        """Start a pool's workers again: they poll now, and every ten seconds from now on.

        `name`: that one alone, or one more, beside the pool's first one ("worker-default"), as
        `prefect worker start --pool default --name NAME --limit LIMIT` does. It runs `limit` runs at a
        time; None: as many as it finds. Whoever polls first takes a run. Raises SimulationError for an
        unknown pool, and for another limit of a worker that is there.
        """
        self._pool(work_pool).start(name, limit)

    def _pool(self, name: str) -> WorkersOfPool:
        if name not in self._world.pools:
            raise arguments.unknown("work pool", name, self._world.pools)
        return self._world.pools[name]

    # -- what steps take, what goes wrong ------------------------------------------------------------

    @calls.takes
    def takes(self, name: str, duration: Duration) -> None:
        """Add a virtual duration at the end of every step (flow or task) named `name`.

        `duration`: a timedelta, `lognormal(...)`, or a list (run by run, the last one stays).
        Raises SimulationError for an unknown name, a step that yields, or a negative duration.
        """
        self._world.steps.take(self._step_name(name), duration)

    @calls.fail
    def fail(
        self,
        name: str,
        *,
        probability: float = 1.0,
        error: BaseException | type[BaseException] | None = None,
        on: Collection[int] | None = None,
        attempts: str | None = None,
        between: tuple[datetime, datetime] | None = None,
        after: timedelta = timedelta(0),
    ) -> None:
        """Let steps (flows or tasks) named `name` raise `error` in place of their own code.

        All conditions given must hold: `probability` (0 to 1, drawn per attempt from the seed);
        `on`, the numbers of the runs of this name, from 0 in the order of their start; `attempts`,
        Prefect's run counts from 1, such as "1-2"; `between`, two aware instants, the second one
        excluded. The error is raised `after` a virtual duration.

        Raises SimulationError for an unknown name, a step that yields, and values out of range.
        """
        conditions: dict[str, Any] = dict(on=on, attempts=attempts, between=between, after=after)
        self.inject(Raise(step=name, error=error, probability=probability, **conditions))

    @calls.inject
    def inject(
        self, faults: Fault | Mapping[str, Any] | Iterable[Fault | Mapping[str, Any]]
    ) -> None:
        """Let one or several things go wrong: kinds of `simulator.faults`, or the same as plain data.

        Every time that one strikes is in the history, and who was hit; one that has never struck is
        told at the end, as a warning. Raises SimulationError for a kind, a parameter or a target that
        is unknown, for values out of range, and for a window that has passed.
        """
        self._faults.inject(faults, self._world, self._step_name, self._pool)

    def _step_name(self, name: str) -> str:
        if name not in self._known:
            self._known = arguments.step_names()
        return arguments.step_name(name, self._known)

    @calls.random
    def random(self, name: str) -> random.Random:
        """Random numbers that depend on the seed and on `name` alone."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return random.Random(int.from_bytes(digest, "big"))

    @calls.setenv
    def setenv(self, **variables: str | Path) -> None:
        """Set environment variables until the simulation ends, as a deployment's job would."""
        assert self._stack is not None
        self._world.setenv(self._stack, {name: str(value) for name, value in variables.items()})

    # -- running -----------------------------------------------------------------------------------

    @calls.run
    def run(self, flow: Flow[..., Any], /, **parameters: Any) -> RunRecord:
        """Call a flow now, as a script would, and let time pass until it has ended.

        Returns its record, whose `result` is what the flow has returned, or the list of what it has
        yielded. Never raises for a failed flow; raises NothingToRun if it waits for something that
        can never happen.
        """
        self._world.check(flow)
        arguments.check_parameters_of(flow, parameters, all_of_them=True)
        run = self._world.run(flow, parameters)
        returned = self._world.results.get(run, NOT_KEPT)
        return replace(self.history().run(run), returned=returned)

    @calls.kill
    def kill(self, run: RunRecord | UUID | str, exit_code: int = -9) -> None:
        """End the process of a running flow run, now.

        With SIGKILL (-9, and 137 for a container's) and every other exit code nothing of it happens
        any more: no `finally`, no report; its worker finds it dead and reports Crashed. With SIGTERM
        (-15, 143) its main thread is interrupted, and the flow reports itself.

        Raises SimulationError for a run that is not running in a worker's process, as a deployment's
        run or a subflow of one.
        """
        self._world.kill(UUID(str(run)), exit_code)

    @calls.trigger
    def trigger(
        self,
        deployment: str,
        parameters: dict[str, Any] | None = None,
        *,
        at: datetime | str | None = None,
    ) -> UUID:
        """Order a run of the deployment "flow/deployment", for now or for the instant `at`.

        Returns the id of the flow run. Raises SimulationError for an unknown deployment, an
        instant that is naive or in the past, or parameters that do not fit.
        """
        from simulator import deploying

        now = self.now  # once: on a live engine it moves on
        when = now if at is None else arguments.instant("at", at)
        if when < now:
            raise SimulationError(
                f"at={when:%Y-%m-%dT%H:%M:%SZ} lies before now, {now:%Y-%m-%dT%H:%M:%SZ}"
            )
        names = self._world.deployment_names
        return deploying.order(self._world.client, deployment, parameters, when, names, self._flows)

    # -- what happened -----------------------------------------------------------------------------

    @calls.runs
    def runs(
        self, flow: str | None = None, *, deployment: str | None = None, state: str | None = None
    ) -> list[RunRecord]:
        """Records of flow runs, oldest first; of one flow, one deployment, in one state.

        Raises SimulationError for an unknown flow, deployment or state.
        """
        return self.history().runs(flow, deployment=deployment, state=state)

    @calls.upcoming
    def upcoming(self, flow: str | None = None) -> list[RunRecord]:
        """The flow runs that schedules have made for now or later, earliest first; of one flow.

        Prefect's scheduler makes them ahead of time, as far as it says of itself: a hundred runs or
        so of each deployment. Raises SimulationError for an unknown flow.
        """
        return self.history().upcoming(flow)

    def history(self) -> History:
        """Everything that has happened so far."""
        self._opened()
        return self._world.history()

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What this simulation could not show rightly so far, each once; also after its end."""
        return tuple(self._world.caveats) if hasattr(self, "_world") else ()

    @property
    def silent_faults(self) -> tuple[str, ...]:
        """The faults that have never struck so far, each in words; at the end they are warned of."""
        self._opened()
        return tuple(self._faults.silent(self._world))

    @property
    def warehouse(self) -> Warehouse:
        """A DuckDB file of this simulation, for flows and dbt to fill."""
        self._opened()
        return self._world.warehouse
