"""The other engine: one simulation on a real Prefect server with real process workers, in real time.

It may import `server.settings` and the template, `faults`, `history`, `warehouse`, `stock` and
`ordered`, which is what runs in each of its processes. Open `world.py` first.
"""

from simulator.live.server import LiveServer, LiveWorker
from simulator.live.world import LiveWorld

__all__ = [
    "LiveServer",
    "LiveWorker",
    "LiveWorld",
]
