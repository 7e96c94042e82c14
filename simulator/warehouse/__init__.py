"""The DuckDB file of a simulation, and dbt beside it, on virtual time.

It may import `patches`. Open `warehouse.py`.
"""

from simulator.warehouse.dbt import release, share_manifests, stop_statement
from simulator.warehouse.warehouse import Warehouse, warehouse_installed
from simulator.warehouse.watching import WatchedTables
from simulator.warehouse.writes import Writes

__all__ = [
    "Warehouse",
    "WatchedTables",
    "Writes",
    "release",
    "share_manifests",
    "stop_statement",
    "warehouse_installed",
]
