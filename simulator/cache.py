"""The folder for what is made once and kept: databases, other versions' environments."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$PREFECT_SIMULATOR_CACHE`, or the user's cache."""
    if chosen := os.environ.get("PREFECT_SIMULATOR_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "prefect-simulator"
