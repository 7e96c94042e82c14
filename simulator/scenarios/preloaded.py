"""What every simulation needs, imported and put together: for a process that forks others.

See `simulator.scenarios.runner`. Only what starts no thread and opens no file that stays open is
done here.
"""

import atexit
import contextlib
import gc
import importlib
import os
import signal
import sys
import threading

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
gc.disable()  # Nearly all of what is imported stays: looking for what does not takes a second.


def end_with_parent() -> None:
    """End this process with its parent while it imports: only then it would notice by itself."""
    while not imported.wait(0.1):
        if os.getppid() != parent:
            os._exit(0)


parent, imported = os.getppid(), threading.Event()
watch = threading.Thread(target=end_with_parent)
watch.start()
try:
    for name in (
        "_pytest.assertion", "duckdb", "typer", "simulator.deploying", "simulator.faults",
        "simulator.history", "simulator.history.measures", "simulator.report", "simulator.server",
        "simulator.simulation", "simulator.warehouse", "simulator.worker",
    ):  # fmt: skip
        importlib.import_module(name)
finally:
    imported.set()
    watch.join()

from simulator.scenarios.rehearsal import rehearse  # noqa: E402

with contextlib.suppress(Exception):  # those who come after it meet it as well, and say so
    rehearse()

# What is here stays: the collector need not look at it again, in any of the processes to come.
gc.collect()
gc.freeze()
gc.enable()


def forget_types() -> None:
    """Let go of DuckDB's types: it reports those that are left at the end, as what is frozen is."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("duckdb", "_duckdb"):
            vars(module).clear()


atexit.register(forget_types)
