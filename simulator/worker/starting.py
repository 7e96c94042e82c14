"""Starts the processes of flow runs, for workers and for runners."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from prefect.client.schemas.objects import FlowRun

from simulator.clock import VirtualClock
from simulator.faults import Starts
from simulator.history import Journal
from simulator.instants import from_micros
from simulator.patches.prefect.processes import ENGINE, main_of
from simulator.process import Process, Seeds, Surroundings, surrounded
from simulator.server.settings import of_environment
from simulator.worker.flows import Flows


class Starter:
    """What is needed to start the process of a flow run: which flows there are, and what all
    processes begin with.

    `environment`: the variables that the simulation sets. `seeds`: of their random numbers.
    """

    def __init__(
        self,
        flows: Flows,
        clock: VirtualClock,
        context: contextvars.Context,
        environment: Mapping[str, str],
        seeds: Seeds,
        starts: Starts,
        exits: Starts,
        journal: Journal,
    ) -> None:
        self.flows = flows
        self._clock = clock
        self._context = context
        self._environment = environment
        self._seeds = seeds
        self._starts = starts
        self._exits = exits
        self._journal = journal

    def start(
        self,
        flow_run: FlowRun,
        ended: Callable[[], object],
        *,
        variables: Mapping[str, str | None] | None = None,
        folder: Path | None = None,
        work_pool: str | None = None,
        worker: str | None = None,
    ) -> Process:
        """Start the process of a flow run; `ended` is called at its end.

        `variables` are its own, on top of all others. It begins in `folder`, or where the test is.
        `work_pool` and `worker`: that of the worker which starts it, and its name, if one does.
        """
        flow = self.flows.known(flow_run)
        named = flow_run.name if flow is None else f"{flow.name}/{flow_run.name}"
        own = {name: str(value) for name, value in (variables or {}).items() if value is not None}
        own["PREFECT__FLOW_RUN_ID"] = str(flow_run.id)
        given = Surroundings(
            environment=own,
            working_directory=None if folder is None else str(folder),
            settings=of_environment({**self._environment, **own}),
            arguments=[ENGINE],
        )
        whose = (work_pool, worker, flow_run, "" if flow is None else flow.name)
        run = main_of(self.flows.of, flow_run)

        def main() -> None:
            try:
                run()
            except SystemExit:
                linger()
                raise
            linger()

        def linger() -> None:
            if seconds := self._delay(self._exits, *whose, lasts=True):
                time.sleep(seconds)

        process = Process(
            named,
            surrounded(main, given),
            self._clock,
            self._context,
            ended,
            supervised=True,
            seed=self._seeds.next(str(flow_run.flow_id) if flow is None else flow.name),
        )
        # An event of its own, so that runs taken in one poll start one after the other, in order.
        seconds = self._delay(self._starts, *whose)
        if seconds is not None:
            self._clock.call_later(seconds, process.start)
        return process

    def _delay(
        self,
        faults: Starts,
        work_pool: str | None,
        worker: str | None,
        flow_run: FlowRun,
        flow: str,
        lasts: bool = False,
    ) -> float | None:
        """For how many seconds the process of a run does not begin, or end; None for ever. Of a fault
        that `lasts`, it is noted until when.
        """
        struck = faults.struck(work_pool, worker, flow, flow_run.id)
        if struck is None:
            return 0.0
        injected, draw, seconds = struck
        details = {"fault": injected.number, "target": injected.fault.target, "draw": draw}
        details["worker"] = worker
        until = None
        if lasts and seconds is not None:
            until = from_micros(self._clock.instant) + timedelta(seconds=seconds)
            details["exits"] = True
        note = self._journal.note(
            "fault", str(injected.fault), run_id=flow_run.id, until=until, details=details
        )
        faults.noted(injected, note)
        return seconds
