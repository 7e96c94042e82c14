"""What is left of a variant that was ended before its end: all that its server had written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.errors import SimulationError
from simulator.history import History
from simulator.history.measures import default_measures


def remains(folder: Path) -> dict[str, Any]:
    """The history and the measures of a simulation whose temporary files are in `folder`, as fields of
    a VariantResult; none if it had not come so far.
    """
    for database in folder.glob("prefect-simulator-*/prefect.db"):
        try:
            history = History.read(database)
            history.read_logs()
        except SimulationError:
            continue  # it was being made
        return {"history": history, "measures": tuple(default_measures(history))}
    return {}
