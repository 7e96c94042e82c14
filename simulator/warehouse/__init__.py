"""The DuckDB file of a simulation, and dbt beside it, on virtual time.

It may import `patches`. Open `warehouse.py`.
"""

from simulator.warehouse.warehouse import Warehouse, warehouse_installed

__all__ = [
    "Warehouse",
    "warehouse_installed",
]
