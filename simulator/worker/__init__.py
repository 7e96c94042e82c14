"""A Prefect worker whose infrastructure is a simulated process.

Polling, prefetch, limits and crash reports are Prefect's own code. It may import `server`, `patches`,
`process` and `clock`. Open `worker.py` first; `supervision.py` watches over what it has started.
"""

from simulator.worker.flows import Flows
from simulator.worker.scripts import call_as_script
from simulator.worker.serving import Runners
from simulator.worker.starting import Starter
from simulator.worker.worker import Pool, SimulatedWorker

__all__ = [
    "Flows",
    "Pool",
    "Runners",
    "SimulatedWorker",
    "Starter",
    "call_as_script",
]
