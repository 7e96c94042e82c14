"""ScriptRuns: processes of their own that call a flow, and what it has returned."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import prefect
from prefect.exceptions import MissingResult

from simulator.clock import VirtualClock
from simulator.engine import NOT_KEPT
from simulator.errors import NothingToRun, SimulationError
from simulator.process import Process, Seeds, Surroundings, surrounded
from simulator.server import settings
from simulator.worker.flows import Flows


class ScriptRuns:
    """What a simulation runs as a script would: in a process of its own, until it has ended.

    `environment`: the variables that the simulation sets. `seeds`: of the random numbers of processes.
    `why_nothing()` knows why whoever waits may wait for ever.
    """

    def __init__(
        self,
        clock: VirtualClock,
        context: contextvars.Context,
        database: sqlite3.Connection,
        environment: Mapping[str, str],
        seeds: Seeds,
        flows: Flows,
        why_nothing: Callable[[], str | None],
    ) -> None:
        self.results: dict[UUID, Any] = {}
        self._clock = clock
        self._context = context
        self._database = database
        self._environment = environment
        self._seeds = seeds
        self._flows = flows
        self._why_nothing = why_nothing

    def run(self, flow: prefect.Flow[..., Any], parameters: Mapping[str, Any]) -> UUID:
        """Call a flow, and let time pass until it has ended. Returns its flow run.

        Raises what Prefect raises if it does not begin, and NothingToRun if it waits for ever.
        """
        came: list[tuple[UUID | None, Any]] = []
        raised: list[BaseException] = []

        self._flows.noted(flow)
        sent = _as_bytes(parameters)

        def call() -> None:
            try:
                own = self._flows.anew(flow)
                given = parameters if own is flow else _of_bytes(sent, parameters)
                came.append(call_as_script(own, given))
            except BaseException as error:
                raised.append(error)

        newest = self._newest()
        process = Process(
            f"flow {flow.name!r}",
            surrounded(call, Surroundings(settings=settings.of_environment(self._environment))),
            self._clock,
            self._context,
            seed=self._seeds.next(flow.name),
        )
        process.start()
        try:
            self._clock.drive(None, done=lambda: not process.alive)
        except NothingToRun as nothing:
            why = self._why_nothing()
            raise nothing if why is None else NothingToRun(f"{why}; {nothing}") from None
        ended, result = came[0] if came else (None, NOT_KEPT)
        if ended is None:
            # It yields, or it has come to its end in the middle: by `sys.exit`, by a signal.
            run = self._newest()
            refused = raised and isinstance(raised[0], Exception) and not flow.isgenerator
            if refused or run == newest or run is None:
                unsaid = SimulationError(f"flow {flow.name!r} has ended before it began")
                raise raised[0] if raised else unsaid
            ended = UUID(run)
        if result is not NOT_KEPT:
            self.results[ended] = result
        return ended

    def call(
        self,
        name: str,
        main: Callable[[], Any],
        *,
        environment: Mapping[str, str] | None = None,
        arguments: list[str] | None = None,
    ) -> Any:
        """Call in a process of its own, and let time pass until it has ended. Returns what it returns.

        `environment`: its own variables, on top of all others; `arguments`: its `sys.argv`. Raises what
        it raises.
        """
        own = dict(environment or {})
        came: list[Any] = []
        raised: list[BaseException] = []

        def call() -> None:
            try:
                came.append(main())
            except BaseException as error:
                raised.append(error)

        given = Surroundings(
            environment=own,
            settings=settings.of_environment({**self._environment, **own}),
            arguments=arguments,
        )
        process = Process(
            name, surrounded(call, given), self._clock, self._context, seed=self._seeds.next(name)
        )
        process.start()
        self._clock.drive(None, done=lambda: not process.alive)
        for error in raised:
            raise error
        if not came:
            raise SimulationError(
                f"{name} has ended its process, with exit code {process.returncode}"
            )
        return came[0]

    def _newest(self) -> str | None:
        """The id of the newest flow run that is neither a deployment's nor a subflow."""
        row = self._database.execute(_NEWEST).fetchone()
        return None if row is None else row[0]


_NEWEST = """
select id from flow_run where deployment_id is null and parent_task_run_id is null
order by rowid desc limit 1
"""


def _as_bytes(parameters: Mapping[str, Any]) -> bytes | None:
    """Parameters on their way to a process with modules of its own; None if they cannot go there."""
    try:
        return pickle.dumps(dict(parameters))
    except Exception:
        return None


def _of_bytes(data: bytes | None, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    arrived: Mapping[str, Any] = parameters if data is None else pickle.loads(data)
    return arrived


def call_as_script(
    flow: prefect.Flow[..., Any], parameters: Mapping[str, Any]
) -> tuple[UUID | None, Any]:
    """Call a flow to its end, and one that yields until it has yielded everything.

    Returns the flow run, if it is known, and what has been returned; NOT_KEPT if it has not completed.
    """
    if flow.isgenerator:
        yielded: Any = flow(**parameters)
        return None, asyncio.run(_listed(yielded)) if flow.isasync else list(yielded)
    state: Any = flow(**parameters, return_state=True)
    if asyncio.iscoroutine(state):
        state = asyncio.run(state)
    run_id: UUID = state.state_details.flow_run_id
    if not state.is_completed():
        return run_id, NOT_KEPT
    try:
        return run_id, state.result()
    except MissingResult:  # it has returned a state of its own, without data
        return run_id, None


async def _listed(yielded: Any) -> list[Any]:
    return [one async for one in yielded]
