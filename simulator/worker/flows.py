"""Which flow a run of a deployment runs: one of this process, or one that Prefect's loader loads."""

from __future__ import annotations

import asyncio
import json
import operator
import os
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID

import prefect
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.steps.core import run_steps
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.loggers import flow_run_logger

from simulator import caveats
from simulator.process import (
    ProjectModules,
    current_process,
    tell_constants,
    tell_defaults,
    tell_locks,
    watch,
)

Flow = prefect.Flow[..., Any]


class Flows:
    """The flows of this process that deployments have been made of.

    A deployment says where its flow is: a file and a name in it, and the steps that bring the file.
    One that was made of a flow here, and still says what it said then, runs that flow. Any other is
    loaded by the process of its run, as Prefect does: after its pull steps, which begin in a folder
    of that process below `folder`; without any, where it lies.

    With `modules` each process imports those of the project anew, and the flow with them; without,
    all share what the test has imported.
    """

    def __init__(
        self, database: sqlite3.Connection, folder: Path, modules: ProjectModules | None
    ) -> None:
        self._database = database
        self._folder = folder
        self._modules = modules
        self._known: dict[UUID, tuple[Flow, Any]] = {}
        self._loaded: dict[UUID, Flow] = {}

    def know(self, deployment_id: UUID, flow: Flow) -> None:
        """The deployment has just been made of `flow`.

        One that a process has loaded into modules of its own is that process's: others load it again.
        """
        if self._modules is not None and current_process() is not None:
            return
        place = self._place(deployment_id)
        if _stays(place[2]):
            self._known[deployment_id] = flow, place
            self.noted(flow)

    def noted(self, flow: Flow) -> None:
        """It is about to run in processes of its own: tell what will be wrong with that."""
        if self._modules is None:
            tell_constants(flow)
            tell_defaults(flow)
            tell_locks(flow)
        elif self._modules.home_of(flow) is None:
            caveats.tell(
                "shared modules",
                f"the flow {flow.name!r} is not at the top level of a module: a process cannot import"
                " it, so its runs share what it refers to",
                where=f"{flow.fn.__code__.co_filename}:{flow.fn.__code__.co_firstlineno}",
                run="",
            )

    def anew(self, flow: Flow, run: str | None = None) -> Flow:
        """A flow, in the process that runs it: imported by that process, unless modules are shared."""
        process = current_process()
        assert process is not None
        if self._modules is None:
            watch(process, flow, run)
            return flow
        home = self._modules.home_of(flow)
        if home is None:
            return flow
        module, place = home
        imported: Flow = operator.attrgetter(place)(self._modules.module(module))
        return imported

    def known(self, flow_run: FlowRun) -> Flow | None:
        """The flow of this process that a run runs, if it runs one."""
        assert flow_run.deployment_id is not None
        flow, place = self._known.get(flow_run.deployment_id, (None, None))
        return flow if place == self._place(flow_run.deployment_id) else None

    def _place(self, deployment_id: UUID) -> Any:
        return self._database.execute(_PLACE, [str(deployment_id)]).fetchone()

    def of(self, flow_run: FlowRun) -> Flow:
        """The flow that a run runs. Called in the run's process, with no loop running."""
        if (known := self.known(flow_run)) is not None:
            return self.anew(known, flow_run.name)
        assert flow_run.deployment_id is not None
        flow = asyncio.run(self._load(flow_run, flow_run.deployment_id))
        self._loaded[flow_run.deployment_id] = flow
        return flow

    async def for_hooks(self, flow_run: FlowRun) -> Flow:
        """The flow that a run has run, for the hooks that its worker calls.

        Raises LookupError if its process has ended before it has loaded one.
        """
        assert flow_run.deployment_id is not None
        found = self.known(flow_run) or self._loaded.get(flow_run.deployment_id)
        if found is None:
            raise LookupError(f"no process has loaded the flow of {flow_run.name!r}")
        return found

    async def _load(self, flow_run: FlowRun, deployment_id: UUID) -> Flow:
        async with get_client() as client:
            deployment = await client.read_deployment(deployment_id)
        if deployment.entrypoint is None:
            raise ValueError(
                f"Deployment {deployment.id} does not have an entrypoint and can not be run."
            )
        if deployment.pull_steps:
            await self._pull(flow_run, deployment)
        elif deployment.path:
            os.chdir(deployment.path)
        return load_flow_from_entrypoint(deployment.entrypoint, use_placeholder_flow=False)

    async def _pull(self, flow_run: FlowRun, deployment: DeploymentResponse) -> None:
        """Run the pull steps of a deployment, and go where they say."""
        own = self._folder / str(flow_run.id)
        own.mkdir(parents=True, exist_ok=True)
        os.chdir(own)
        logger = flow_run_logger(flow_run)
        pulled = await run_steps(
            deployment.pull_steps or [],
            print_function=logger.info,
            deployment=deployment,
            flow_run=flow_run,
            logger=logger,
        )
        if pulled.get("directory"):
            os.chdir(pulled["directory"])


def _stays(pull_steps: str | None) -> bool:
    """Whether the code of a deployment stays where it is, as far as its steps say (as JSON)."""
    steps = json.loads(pull_steps or "null") or []
    return all(name.endswith(".set_working_directory") for step in steps for name in step)


_PLACE = "select entrypoint, path, pull_steps from deployment where id = ?"
