"""Which versions of other libraries work together here, as far as it is known. Imports none of them.

`pyproject.toml` says what is to be installed; this says what to do about what is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from simulator.errors import SimulationError

PREFECT = ">=3.8.8,<3.10"
"""The versions of Prefect that the patches fit."""


def series() -> str:
    """The minor series of the Prefect that is installed: "3.9"."""
    return ".".join(metadata.version("prefect").split(".")[:2])


def ours() -> str | None:
    """The version of this package; None where its code runs without being installed."""
    return _installed("prefect-simulator")


def in_one_line(version: str | None = None) -> str:
    """The version of this package (or the one given), and of what it runs on."""
    engines = ", ".join(
        f"{name} {_installed(package) or 'is not installed'}"
        for name, package in (("Prefect", "prefect"), ("dbt", "dbt-core"), ("DuckDB", "duckdb"))
    )
    python = ".".join(map(str, sys.version_info[:3]))
    own = version or ours() or "is not installed"
    return f"prefect-simulator {own} ({engines}, Python {python})"


@dataclass(frozen=True)
class Conflict:
    """Two libraries that do not work together, though each allows the other."""

    prefect: str
    library: str
    broken: str
    right: str
    why: str
    python: str = ""

    def concerns(self, prefect: str) -> bool:
        """Whether it is one of a version of Prefect, on this Python."""
        return within(self.prefect, prefect) and within(self.python, _PYTHON)

    def is_here(self, prefect: str) -> bool:
        return (
            self.concerns(prefect)
            and (version := _installed(self.library)) is not None
            and within(self.broken, version)
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
    for problem in problems():
        raise SimulationError(problem)


def problems() -> list[str]:
    """All that is known not to work here, each in one line: what is there, and what would be right."""
    prefect = _installed("prefect")
    if prefect is None:
        return [f"Prefect is not installed: install 'prefect{PREFECT}'"]
    if not within(PREFECT, prefect):
        unknown = "which this version of prefect-simulator does not know"
        return [f"Prefect {prefect} is installed, {unknown}: install 'prefect{PREFECT}'"]
    return [str(conflict) for conflict in CONFLICTS if conflict.is_here(prefect)]


def unmet(extra: str = "") -> list[str]:
    """The requirements that are not met, such as "duckdb>=2,<3 (1.4.2 is installed)".

    `extra`: those of this extra alone; of none, what is always needed.
    """
    said = []
    for text in metadata.requires("prefect-simulator") or ():
        needed = Requirement(text)
        marker = needed.marker
        if marker is not None and not marker.evaluate({"extra": extra}):
            continue
        if extra and (marker is None or marker.evaluate({"extra": ""})):
            continue
        version = _installed(needed.name)
        if version is None or not within(str(needed.specifier), version):
            found = "is not installed" if version is None else f"{version} is installed"
            said.append(f"{needed.name}{needed.specifier} ({found})")
    return said


_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def _installed(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def within(specifier: str, version: str) -> bool:
    """Whether a version is one of those that a specifier allows, also before its release."""
    return SpecifierSet(specifier).contains(version, prereleases=True)
