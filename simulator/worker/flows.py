"""Which flow a run of a deployment runs: one of this process, or one that Prefect's loader loads."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID

import prefect
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments.steps.core import run_steps
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.loggers import flow_run_logger

Flow = prefect.Flow[..., Any]


class Flows:
    """The flows of this process that deployments have been made of.

    A deployment says where its flow is: a file and a name in it. One that was made of a flow here,
    and still says what it said then, runs that flow. Any other is loaded as Prefect would, by its
    process, from the place where it lies.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: dict[UUID, tuple[Flow, Any]] = {}

    def know(self, deployment_id: UUID, flow: Flow) -> None:
        """The deployment has just been made of `flow`."""
        self._known[deployment_id] = flow, self._place(deployment_id)

    def known(self, flow_run: FlowRun) -> Flow | None:
        """The flow of this process that a run runs, if it runs one."""
        assert flow_run.deployment_id is not None
        flow, place = self._known.get(flow_run.deployment_id, (None, None))
        return flow if place == self._place(flow_run.deployment_id) else None

    def _place(self, deployment_id: UUID) -> Any:
        return self._database.execute(_PLACE, [str(deployment_id)]).fetchone()

    def of(self, flow_run: FlowRun) -> Flow:
        """The flow that a run runs. Called in the run's process, with no loop running."""
        return self.known(flow_run) or asyncio.run(self.load(flow_run))

    async def load(self, flow_run: FlowRun) -> Flow:
        """The flow that a run runs. Raises what Prefect's loader raises."""
        if (known := self.known(flow_run)) is not None:
            return known
        assert flow_run.deployment_id is not None
        async with get_client() as client:
            deployment = await client.read_deployment(flow_run.deployment_id)
        entrypoint = deployment.entrypoint
        if entrypoint is None:
            raise ValueError(
                f"Deployment {deployment.id} does not have an entrypoint and can not be run."
            )
        folder = Path(deployment.path or ".")
        if deployment.pull_steps:
            logger = flow_run_logger(flow_run)
            pulled = await run_steps(
                deployment.pull_steps,
                print_function=logger.info,
                deployment=deployment,
                flow_run=flow_run,
                logger=logger,
            )
            folder = Path(pulled.get("directory") or ".")
        if ":" in entrypoint:
            entrypoint = str(folder / entrypoint)
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


_PLACE = "select entrypoint, path, pull_steps from deployment where id = ?"
