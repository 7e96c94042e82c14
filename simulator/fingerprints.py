"""Whether the code in a folder is still what it was, or the same on another machine."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

from simulator.errors import SimulationError

_SOURCES = {".py", ".yaml", ".yml", ".toml", ".sql", ".csv", ".env"}


def fingerprint(folder: Path) -> str:
    """The same as long as no code, configuration or table of text in a folder has changed. Tests do not
    count.
    """
    seen = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in _SOURCES and file.is_file() and _is_own(file, folder):
            seen.update(f"{file.relative_to(folder)}\n".encode())
            seen.update(file.read_bytes())
    return seen.hexdigest()[:16]


def check_fingerprint(folder: Path, expected: str) -> None:
    """Raise SimulationError unless a folder has this one."""
    if fingerprint(folder) != expected:
        raise SimulationError(
            f"{str(folder)!r} on {socket.gethostname()} is missing, or not what it is here:"
            " it has to be there, with the same code"
        )


def repository_of(file: Path) -> Path:
    """The folder of the repository that a file is in, or if it is in none, its own."""
    above = (one for one in file.parents if (one / "pyproject.toml").is_file())
    return next(above, file.parent)


def _is_own(file: Path, folder: Path) -> bool:
    """Whether it is neither a test nor in the folder of an environment, or in a hidden one."""
    above = file.relative_to(folder).parts[:-1]
    if file.name.startswith("test_") or file.name == "conftest.py":
        return False
    return not any(part.startswith(".") or part == "site-packages" for part in above)
