"""A Prefect worker whose infrastructure is a simulated process.

Polling, prefetch, limits and crash reports are Prefect's own code. It may import `server`, `patches`,
`process` and `clock`. Open `worker.py` first; `supervision.py` watches over what it has started.
"""

from simulator.worker.flows import Flows
from simulator.worker.pools import Pools
from simulator.worker.scripts import ScriptRuns
from simulator.worker.serving import Runners
from simulator.worker.sources import Sources
from simulator.worker.starting import Starter
from simulator.worker.task_workers import TaskWorkers
from simulator.worker.worker import PoolWorker, SimulatedWorker

__all__ = [
    "Flows",
    "PoolWorker",
    "Pools",
    "Runners",
    "ScriptRuns",
    "SimulatedWorker",
    "Sources",
    "Starter",
    "TaskWorkers",
]
