"""The folder for what is made once and kept: databases, other versions' environments."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def cache_folder() -> Path:
    """`$PREFECT_SIMULATOR_CACHE`, or the user's cache."""
    if chosen := os.environ.get("PREFECT_SIMULATOR_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "prefect-simulator"


def digest(file: Path) -> str:
    """What the name of a kept file ends with, so that it tells whether the file is whole."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def is_whole(kept: Path) -> bool:
    """Whether a kept file is what its name says: not damaged, cut short or half written."""
    try:
        return kept.stem.endswith(f"-{digest(kept)}")
    except OSError:  # it cannot be read, it is a folder, it is gone
        return False
