"""What every simulation needs, imported: for a process that forks others (see `simulator.runner`)."""

import atexit
import gc
import importlib

for name in (
    "duckdb", "typer", "simulator.deploying", "simulator.display", "simulator.history",
    "simulator.measures", "simulator.services", "simulator.settings", "simulator.simulation",
    "simulator.steps", "simulator.warehouse", "simulator.worker",
):  # fmt: skip
    importlib.import_module(name)

from simulator import server  # noqa: E402

server.application()

# What is here stays: the collector need not look at it again, in any of the processes to come.
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)
