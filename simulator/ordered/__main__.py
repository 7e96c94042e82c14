"""What runs in the processes of a live simulation: `python -m simulator.ordered`.

Without arguments, as the command of a process worker's job: does what the worker's own command,
`python -m prefect.engine`, does. With two, the files of an order and of its answer: calls a flow, as
a script would. In either, steps take what they are said to take, and fail as they are said to fail.
"""

from __future__ import annotations

import asyncio
import importlib
import operator
import os
import pickle
import runpy
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.context import FlowRunContext
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from simulator.faults import Steps
from simulator.history import Journal
from simulator.ordered import VARIABLE, Orders
from simulator.patches.prefect.steps import Call, installed

_COUNTS = "create table if not exists steps (name, run_id, cycle, unique (name, run_id))"

_COUNT = """
select rowid, (select count(*) from steps other where other.name = own.name
               and other.rowid < own.rowid),
       (select count(*) from steps other where other.name = own.name
        and other.cycle = own.cycle and other.rowid < own.rowid)
from steps own where name = ? and run_id = ?
"""


class SharedSteps(Steps):
    """Steps whose runs are counted across all processes of a simulation."""

    def __init__(self, orders: Orders, database: sqlite3.Connection) -> None:
        journal = Journal(lambda: datetime.now(UTC))
        super().__init__(lambda: datetime.now(UTC), database, orders.seed, journal)
        self._file = orders.folder / "steps.db"
        for injected in orders.faults:
            self.strike(injected)
        for name, duration in orders.durations.items():
            self.take(name, duration)

    def begin(self, name: str, run_id: UUID, flow_run_id: UUID | None) -> None:
        super().begin(name, run_id, flow_run_id)
        with self._mutex:
            self.number_begun(name)  # at once: another process may be the one that needs it

    def number(self, name: str, run_id: UUID, cycle: datetime) -> tuple[int, datetime, int]:
        counts = sqlite3.connect(self._file, timeout=60, isolation_level=None)
        try:
            counts.execute("begin immediate")
            counts.execute(_COUNTS)
            row = (name, str(run_id), cycle.isoformat())
            counts.execute("insert or ignore into steps values (?, ?, ?)", row)
            _, occurrence, within = counts.execute(_COUNT, row[:2]).fetchone()
            counts.execute("commit")
        finally:
            counts.close()
        return occurrence, cycle, within


@contextmanager
def _as_ordered(orders: Orders, began: Callable[[UUID], None]) -> Iterator[None]:
    """Let steps do as ordered; `began` is told the run of every flow of this process."""
    os.environ.update(orders.environment)
    uri = f"{orders.database.as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    steps = SharedSteps(orders, database)

    def around_flow(call: Call) -> Any:
        context = FlowRunContext.get()
        if context is not None and context.flow_run is not None:
            began(context.flow_run.id)
        return steps.around_flow(call)

    with _unbeating(os.environ), installed(around_flow, steps.around_task):
        yield


def _unbeating(variables: Mapping[str, str]) -> AbstractContextManager[Any]:
    """No heartbeats but for whom the variables of the process ask for them.

    With them, whoever calls a sync flow goes on up to a second late, by chance. The virtual engine has
    them without: see `simulator.patches.prefect.heartbeats`.
    """
    if PREFECT_FLOWS_HEARTBEAT_FREQUENCY.name in variables:
        return nullcontext()
    return temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})


def _main() -> None:
    orders: Orders = pickle.loads(Path(os.environ[VARIABLE]).read_bytes())
    if len(sys.argv) > 1:
        _script(orders, Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        _job(orders)


def _job(orders: Orders) -> None:
    """Run the flow run that a worker has started this process for."""
    folder = orders.folder / "processes"
    folder.mkdir(exist_ok=True)
    own = folder / os.environ["PREFECT__FLOW_RUN_ID"]
    own.write_text(str(os.getpid()))
    try:
        with _as_ordered(orders, lambda _: None):
            runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    finally:
        own.unlink(missing_ok=True)


def _script(orders: Orders, order: Path, answer: Path) -> None:
    """Call a flow; the answer is the id of its run, written when it begins."""
    module, name, parameters = pickle.loads(order.read_bytes())
    flow: Any = operator.attrgetter(name)(importlib.import_module(module))

    def began(flow_run_id: UUID) -> None:
        if not answer.exists():
            answer.write_text(str(flow_run_id))

    with _as_ordered(orders, began):
        state = flow(**parameters, return_state=True)
        if asyncio.iscoroutine(state):
            state = asyncio.run(state)
        began(state.state_details.flow_run_id)


if __name__ == "__main__":
    _main()
