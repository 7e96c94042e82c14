"""Which versions of other libraries work together here, as far as it is known. Imports none of them.

`pyproject.toml` says what is to be installed; this says what to do about what is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import metadata

from packaging.specifiers import SpecifierSet

from simulator.errors import SimulationError

PREFECT = ">=3.8.8,<3.10"
"""The versions of Prefect that the patches fit."""


def series() -> str:
    """The minor series of the Prefect that is installed: "3.9"."""
    return ".".join(metadata.version("prefect").split(".")[:2])


@dataclass(frozen=True)
class Conflict:
    """Two libraries that do not work together, though each allows the other."""

    prefect: str
    library: str
    broken: str
    right: str
    why: str
    python: str = ""

    def is_here(self, prefect: str) -> bool:
        return (
            _within(self.prefect, prefect)
            and _within(self.python, _PYTHON)
            and (version := _installed(self.library)) is not None
            and _within(self.broken, version)
        )

    def __str__(self) -> str:
        where = f" on Python {_PYTHON}" if self.python else ""
        return (
            f"{self.library} {_installed(self.library)} does not work with Prefect"
            f" {_installed('prefect')}{where} ({self.why}): install '{self.library}{self.right}'"
        )


CONFLICTS = (
    Conflict(
        prefect=">=3.9",
        python="<3.13",
        library="whenever",
        broken="<0.11",
        right=">=0.11,<0.12",
        why="every cron schedule fails, and no run of one is ever made",
    ),
    Conflict(
        prefect="<3.9",
        library="sqlalchemy",
        broken=">=2.1",
        right="<2.1",
        why="the scheduler fails on every loop, and no scheduled run is ever made",
    ),
    Conflict(
        prefect="<3.9",
        library="fastapi",
        broken=">=0.155",
        right="<0.155",
        why="its server cannot be imported",
    ),
)


def check() -> None:
    """Refuse what is known not to work, before any of it is imported.

    Raises SimulationError, in one line: what is there, and what would be right.
    """
    prefect = _installed("prefect")
    if prefect is None:
        raise SimulationError(f"Prefect is not installed: install 'prefect{PREFECT}'")
    if not _within(PREFECT, prefect):
        raise SimulationError(
            f"Prefect {prefect} is installed, which this version of prefect-simulator does not know:"
            f" install 'prefect{PREFECT}'"
        )
    for conflict in CONFLICTS:
        if conflict.is_here(prefect):
            raise SimulationError(str(conflict))


_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def _installed(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _within(specifier: str, version: str) -> bool:
    return SpecifierSet(specifier).contains(version, prereleases=True)
