"""A stock Prefect server as a process of its own, in real time, on a database that is copied for it.

It imports nothing of Prefect, nor anything that runs here. Open `server.py` for how one is started and
ended with all that it has started, `shown.py` for one whose web UI shows what a simulation has left.
"""

from simulator.stock.server import START_SECONDS, StockServer
from simulator.stock.shown import ShownServer

__all__ = ["START_SECONDS", "ShownServer", "StockServer"]
