"""What runs in each process of a live simulation, and the orders that it reads at its start.

It may import `faults`, `history` and the patch of steps. Nothing here imports Prefect's server: a
process of a stock worker does not, and it would take longer than all else. Open `__main__.py`.
"""

from simulator.ordered.orders import VARIABLE, Orders

__all__ = ["VARIABLE", "Orders"]
