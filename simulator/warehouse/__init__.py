"""The DuckDB file of a simulation, and dbt beside it, on virtual time.

It may import `patches`. Open `warehouse.py`.
"""

from simulator.warehouse.dbt import release, share_manifests, stop_statement
from simulator.warehouse.warehouse import Warehouse, warehouse_installed
from simulator.warehouse.watching import WatchedTables

__all__ = [
    "Warehouse",
    "WatchedTables",
    "release",
    "share_manifests",
    "stop_statement",
    "warehouse_installed",
]
