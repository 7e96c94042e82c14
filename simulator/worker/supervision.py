"""Watches over the processes of flow runs with the code of Prefect's own runner.

What a process worker does for a run is Prefect's `FlowRunExecutor` and `CancellationManager`: start
the process, wait for its end, report Crashed for a bad exit code, and on cancellation interrupt it,
give it 30 seconds, kill it, run the hooks and report Cancelled. Prefect keeps these classes to
itself. Only what talks to an operating system differs: the process is a `simulator.process.Process`,
and the socket on which runner and process talk is a few attributes.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from simulator.patches.prefect.runner import (
    CancellationManager,
    ControlSignalStatus,
    EventEmitter,
    FlowRunExecutor,
    HookRunner,
    ProcessHandle,
    ProcessManager,
    StateProposer,
)
from simulator.process import Process, signals
from simulator.server import Cancellations
from simulator.worker.flows import Flows

StartProcess = Callable[[FlowRun, Callable[[], object]], Process]
"""Make the process of a flow run and start it; the second argument is to be called at its end."""


class Supervisor:
    """Starts the processes of flow runs, and sees to what becomes of them.

    An asynchronous context manager on the loop of the worker that it serves.
    """

    def __init__(
        self,
        client: PrefectClient,
        start_process: StartProcess,
        flows: Flows,
        cancellations: Cancellations,
    ) -> None:
        self._start_process = start_process
        self._cancellations = cancellations
        self._loop = asyncio.get_running_loop()
        self._processes: dict[UUID, Process] = {}
        self._manager = ProcessManager(on_add=self._watch, on_remove=self._forget)
        self._proposer = StateProposer(client=client)
        self._emitter = EventEmitter(runner_name="standalone", client=client)
        self._hooks = HookRunner(resolve_flow=flows.for_hooks)
        channel: Any = _ControlChannel(self._processes)
        self._canceller = CancellationManager(
            process_manager=self._manager,
            hook_runner=self._hooks,
            state_proposer=self._proposer,
            event_emitter=self._emitter,
            client=client,
            control_channel=channel,
        )

    async def __aenter__(self) -> Supervisor:
        await self._emitter.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._emitter.__aexit__(*error)

    def parts(self) -> dict[str, Any]:
        """What Prefect's runner makes use of, by the names of its own arguments."""
        return dict(
            resolve_starter=lambda flow_run: _Starter(self._start_process, self._processes),  # noqa: ARG005
            process_manager=self._manager,
            state_proposer=self._proposer,
            hook_runner=self._hooks,
            cancellation_manager=self._canceller,
            get_attempt_conclusion=self._conclusion,
        )

    def process_of(self, flow_run_id: UUID) -> Process | None:
        """The process in which a run goes on now."""
        return self._processes.get(flow_run_id)

    def kill(self) -> list[UUID]:
        """Kill all processes, with nobody left who would tell. Returns their runs."""
        killed = [run_id for run_id, process in self._processes.items() if process.alive]
        for run_id in killed:
            self._cancellations.forget(run_id)
            self._processes.pop(run_id).kill()
        return killed

    async def execute(
        self,
        flow_run: FlowRun,
        start_process: StartProcess,
        task_status: anyio.abc.TaskStatus[int],
    ) -> tuple[Process, int]:
        """Run a flow run in a process of its own, to the end. Returns it and its exit code.

        `task_status` is told the number of the process once it has started.
        """
        starter = _Starter(start_process, self._processes)
        executor = FlowRunExecutor(
            flow_run=flow_run,
            starter=starter,
            process_manager=self._manager,
            state_proposer=self._proposer,
            hook_runner=self._hooks,
            get_attempt_conclusion=self._conclusion,
            propose_submitting=False,
        )
        results = []

        async def execute(
            *, task_status: anyio.abc.TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
        ) -> None:
            results.append(await executor.submit(task_status=task_status))

        async with anyio.create_task_group() as tasks:
            handle = await tasks.start(execute)
            task_status.started(handle.pid)
        (result,) = results
        if result is None or result.status_code is None:
            raise RuntimeError("Failed to start flow run process.")
        return starter.process, result.status_code

    def _conclusion(self, flow_run_id: UUID) -> Any:
        """How the engine or the runner has settled the outcome of a run, if one of them has."""
        memory = self._processes[flow_run_id].memory
        return memory.get("delegated") or memory.get("outcome")

    async def _watch(self, flow_run_id: UUID) -> None:
        def tell() -> None:
            cancel = self._canceller.cancel_by_id(flow_run_id)
            asyncio.run_coroutine_threadsafe(cancel, self._loop)

        self._cancellations.watch(flow_run_id, tell)

    async def _forget(self, flow_run_id: UUID) -> None:
        self._cancellations.forget(flow_run_id)
        self._processes.pop(flow_run_id, None)


class _Starter:
    """Prefect's `ProcessStarter`: starts a process, and returns at its end."""

    def __init__(self, start_process: StartProcess, processes: dict[UUID, Process]) -> None:
        self.process: Process
        self._start_process = start_process
        self._processes = processes

    async def start(
        self,
        flow_run: FlowRun,
        task_status: anyio.abc.TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell() -> None:
            try:
                loop.call_soon_threadsafe(ended.set)
            except RuntimeError:
                pass  # the worker has ended before

        self.process = self._start_process(flow_run, tell)
        self._processes[flow_run.id] = self.process
        handle: Any = self.process
        task_status.started(ProcessHandle(handle, _Termination(self.process)))
        await ended.wait()


class _Termination:
    """Prefect's `ProcessTerminationScope`: what may be done to a process."""

    wait_after_graceful_kill = True

    def __init__(self, process: Process) -> None:
        self._process = process

    def is_alive(self, pid: int) -> bool:  # noqa: ARG002
        return self._process.alive

    def graceful_kill(self, pid: int) -> None:  # noqa: ARG002
        if not self._process.alive:
            raise ProcessLookupError
        signals.of(self._process).send(signal.SIGTERM)

    def hard_kill(self, pid: int) -> None:  # noqa: ARG002
        self._process.kill()

    def close(self) -> None:
        pass


class _ControlChannel:
    """Tells a process why it is about to get a signal, as Prefect's `ControlChannel` does."""

    def __init__(self, processes: dict[UUID, Process]) -> None:
        self._processes = processes

    async def signal(self, flow_run_id: UUID, intent: str) -> ControlSignalStatus:
        process = self._processes.get(flow_run_id)
        if process is None or not process.alive or process.thread.ident is None:
            return ControlSignalStatus.NOT_ACKNOWLEDGED
        if "outcome" in process.memory:
            return ControlSignalStatus.ALREADY_CONCLUDED
        process.memory["intent"] = process.memory["delegated"] = intent
        return ControlSignalStatus.ACKNOWLEDGED
