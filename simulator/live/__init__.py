"""The other engine: one simulation on a real Prefect server with real process workers, in real time.

It may import `server.settings` and the template, `faults`, `history` and `warehouse`. Open `world.py`
first; `process.py` is what runs in each of its processes.
"""

from simulator.live.server import LiveServer, LiveWorker
from simulator.live.world import LiveWorld

__all__ = [
    "LiveServer",
    "LiveWorker",
    "LiveWorld",
]
