"""What every simulation needs, imported and put together: for a process that forks others.

See `simulator.runner`. Only what starts no thread and opens no file that stays open is done here.
"""

import asyncio
import atexit
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

import freezegun  # noqa: E402
import httpx  # noqa: E402
import sqlalchemy.orm  # noqa: E402

from simulator import server  # noqa: E402


async def _look_for_nothing() -> None:
    """Ask for what is not there: on the way the application puts all of its routes together."""
    transport = httpx.ASGITransport(app=server.application())
    async with httpx.AsyncClient(
        transport=transport, base_url="http://simulation.invalid"
    ) as client:
        await client.get("/api/nothing")


asyncio.run(_look_for_nothing())
sqlalchemy.orm.configure_mappers()
with freezegun.freeze_time():
    pass  # it has looked through all modules now

# What is here stays: the collector need not look at it again, in any of the processes to come.
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)
