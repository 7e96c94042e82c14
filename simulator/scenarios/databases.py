"""Copies of the Prefect databases of variants, kept by `simulate run --keep-database`."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from simulator.history import Key
    from simulator.simulation import Simulation

DATABASES = "databases"
"""The folder for them in a folder of results."""

NAME = re.compile(r"(?P<scenario>[^ ]+) \[(?P<variant>[^\]]+)\] seed (?P<seed>-?\d+)\.db")


def kept_as(folder: Path, scenario: str, variant: str, seed: int) -> Path:
    """Where in a folder the database of a variant is kept."""
    return folder / f"{scenario} [{quote(variant, safe=' ')}] seed {seed}.db"


def keep(simulation: Simulation, place: Path) -> None:
    """Copy a simulation's database, with all that has happened by now, to a place of its own."""
    simulation.history()  # what waits to be written is written before it is read
    part = place.with_name(f"{place.name}.part")
    part.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(simulation.folder / "prefect.db")) as database,
        closing(sqlite3.connect(part)) as copy,
    ):
        database.backup(copy)
    part.replace(place)


def kept_databases(folder: Path) -> dict[Key, Path]:
    """The databases in a folder, by scenario, variant and seed."""
    found = {file: NAME.fullmatch(file.name) for file in sorted(folder.glob("*.db"))}
    return {
        (name["scenario"], unquote(name["variant"]), int(name["seed"])): file
        for file, name in found.items()
        if name is not None
    }
