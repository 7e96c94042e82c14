"""What the processes of a live simulation have to know, as a file."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.errors import UnsupportedOperation
from simulator.faults import Duration, Injected

VARIABLE = "PREFECT_SIMULATOR_ORDERS"
"""The environment variable that names the file with a process's orders."""


@dataclass
class Orders:
    """What the processes of one simulation have to know. Written to a file, read at their start.

    `folder` is the simulation's, where they count steps and leave the numbers of their processes;
    `database` the server's, to read.
    """

    folder: Path
    database: Path
    seed: int
    faults: list[Injected] = field(default_factory=list)
    durations: dict[str, Duration] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "orders.pickle"

    def write(self) -> None:
        """Write them for the processes that start from now on."""
        new = self.file.with_suffix(".new")
        new.write_bytes(pickle.dumps(self))
        new.replace(self.file)

    # -- as `Engine.steps` -------------------------------------------------------------------------

    def strike(self, injected: Injected) -> None:
        self.faults.append(injected)
        self.write()

    def take(self, name: str, duration: Duration) -> None:
        self.durations[name] = duration
        self.write()

    def stand_in(self, *_: Any) -> None:
        """As `Engine.steps` and `Engine.functions`: a process of its own runs its own code."""
        raise UnsupportedOperation("stub: on a live engine everything runs its own code")
