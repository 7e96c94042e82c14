"""The patches of Prefect: what its client and engine, its server, its database and each process need.

What only one series of Prefect needs stands in a file of that series, `v3_8.py` or `v3_9.py`, which is
imported with that Prefect alone.
"""

from __future__ import annotations

import importlib
from typing import Any

from simulator.versions import series


def of_series() -> list[tuple[Any, str, Any]]:
    """What is replaced, `(owner, name, value)`, in the series of the Prefect that is installed."""
    own = importlib.import_module(f"{__name__}.v{series().replace('.', '_')}")
    replaced: list[tuple[Any, str, Any]] = own.REPLACED
    return replaced
