"""The grammar: what people write, one module for each part of it."""

from __future__ import annotations

from tests.fuzz import (
    kinds_data,
    kinds_flows,
    kinds_outcomes,
    kinds_process,
    kinds_time,
    kinds_waiting,
)

MAINS = ("main", "async main")
"""The kinds that a whole program may be."""

PARTS = (kinds_flows, kinds_outcomes, kinds_waiting, kinds_process, kinds_data, kinds_time)
