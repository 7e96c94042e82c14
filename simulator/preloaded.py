"""What every simulation needs, imported and put together: for a process that forks others.

See `simulator.runner`. Only what starts no thread and opens no file that stays open is done here.
"""

import atexit
import contextlib
import gc
import importlib
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business

for name in (
    "_pytest.assertion", "duckdb", "typer", "simulator.deploying", "simulator.display",
    "simulator.history", "simulator.measures", "simulator.services", "simulator.settings",
    "simulator.simulation", "simulator.steps", "simulator.warehouse", "simulator.worker",
):  # fmt: skip
    importlib.import_module(name)

from simulator.rehearsal import rehearse  # noqa: E402

with contextlib.suppress(Exception):  # those who come after it meet it as well, and say so
    rehearse()

# What is here stays: the collector need not look at it again, in any of the processes to come.
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)
