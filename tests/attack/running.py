"""Lets a topology live through its hours in a simulation, and keeps what the laws ask about."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect import Flow, flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments import arun_deployment, run_deployment
from prefect.events import DeploymentEventTrigger

from simulator import Simulation
from simulator.history import History, Note
from tests.attack.topologies import HOURS, START, Node, Topology, name


@dataclass
class Lived:
    """What has come of a topology. `slots`: of each deployment's limit, how many are taken at
    the end; `fired`: how often each kind of fault has struck."""

    topology: Topology
    history: History
    slots: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)

    def struck(self) -> list[tuple[Note, str]]:
        """What was noted of each strike of a fault, with the fault's kind."""
        notes = self.history.notes
        kinds = {
            note.details["fault"]: note.details["plain"]["kind"]
            for note in notes
            if note.kind == "injected"
        }
        return [(note, kinds[note.details["fault"]]) for note in notes if note.kind == "fault"]


class _Flows:
    """A flow for each node, each of which finds the others by their numbers."""

    def __init__(self, topology: Topology) -> None:
        self.nodes = topology.nodes
        self.flows = [self._flow(number, node) for number, node in enumerate(topology.nodes)]

    def _flow(self, number: int, node: Node) -> Flow[..., Any]:
        body = self._asynchronous(node) if node.asynchronous else self._sync(node)
        return flow(name=name(number), retries=node.retries, retry_delay_seconds=30)(body)

    def _sync(self, node: Node) -> Callable[[], None]:
        def body() -> None:
            time.sleep(node.seconds)  # virtual
            for other, how in node.calls:
                self._call(other, how)

        return body

    def _asynchronous(self, node: Node) -> Callable[[], Coroutine[Any, Any, None]]:
        async def body() -> None:
            await asyncio.sleep(node.seconds)
            for other, how in node.calls:
                await self._acall(other, how)

        return body

    def _call(self, number: int, how: str) -> None:
        if how == "after":
            return
        if how == "fired":
            run_deployment(f"{name(number)}/dev", timeout=0)
        elif how == "deployment" or self.nodes[number].asynchronous:
            run_deployment(f"{name(number)}/dev")  # a sync flow has no loop to await another one in
        elif how == "in a task":
            _calls.submit(self.flows[number]).wait()
        else:
            self.flows[number](return_state=how == "caught")

    async def _acall(self, number: int, how: str) -> None:
        if how in {"deployment", "fired"}:
            await arun_deployment(f"{name(number)}/dev", timeout=0 if how == "fired" else None)
        elif self.nodes[number].asynchronous and how != "after":
            await self.flows[number](return_state=how != "subflow")
        else:
            self._call(number, how)


@task
def _calls(flow_: Flow[..., Any]) -> None:
    flow_()


def live(topology: Topology) -> Lived:
    """Open a simulation, let the hours pass, and as many again in which all may come to an end."""
    before = _things()
    with Simulation(start=START, seed=topology.seed) as sim:
        sim.work_pool("default", concurrency_limit=topology.pool_limit)
        for number in range(1, topology.workers):
            sim.start_worker(name=f"another-{number}")
        made = _Flows(topology).flows
        after = {
            other: number
            for number, node in enumerate(topology.nodes)
            for other, how in node.calls
            if how == "after"
        }
        for number, node in enumerate(topology.nodes):
            strategy = (
                ConcurrencyLimitStrategy.CANCEL_NEW
                if node.cancels_new
                else ConcurrencyLimitStrategy.ENQUEUE
            )
            sim.deploy(
                made[number],
                name="dev",
                interval=None if node.every_minutes is None else node.every_minutes * 60,
                concurrency_limit=None
                if node.limit is None
                else ConcurrencyLimitConfig(limit=node.limit, collision_strategy=strategy),
                triggers=[_completed(after[number])] if number in after else None,
            )
        sim.inject(topology.faults)
        sim.advance(hours=HOURS)
        _end_schedules(topology)
        sim.advance(hours=HOURS)
        lived = Lived(topology, sim.history())
        with get_client(sync_client=True) as client:
            for number, node in enumerate(topology.nodes):
                if node.limit is not None:
                    deployment = client.read_deployment_by_name(f"{name(number)}/dev")
                    lived.slots[name(number)] = deployment.global_concurrency_limit.active_slots
        lived.fired.update(kind for _, kind in lived.struck())
        folder = sim.folder
    if folder.exists():
        lived.left.append(f"the folder {folder}")
    lived.left += [f"{kind}: {left}" for kind, left in (_things() - before).items()]
    return lived


def _completed(upstream: int) -> DeploymentEventTrigger:
    return DeploymentEventTrigger(
        expect={"prefect.flow-run.Completed"},
        match_related={
            "prefect.resource.name": name(upstream),
            "prefect.resource.role": "flow",
        },
    )


def _end_schedules(topology: Topology) -> None:
    with get_client(sync_client=True) as client:
        for number, node in enumerate(topology.nodes):
            if node.every_minutes is None:
                continue
            deployment = client.read_deployment_by_name(f"{name(number)}/dev")
            for schedule in deployment.schedules:
                client.update_deployment_schedule(deployment.id, schedule.id, active=False)


def _things() -> Counter[str]:
    """Threads, open files and processes of this process, by kind."""
    threads = [thread.name for thread in threading.enumerate()]
    children = sum(
        1 for status in Path("/proc").glob("[0-9]*/stat") if _parent_of(status) == os.getpid()
    )
    return Counter(threads) + Counter(
        files=len(list(Path("/proc/self/fd").iterdir())), processes=children
    )


def _parent_of(status: Path) -> int | None:
    try:
        return int(status.read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return None


END = START + timedelta(hours=HOURS)
