"""Pieces of work for the cluster of `test_cluster.py`: they can be pickled, and called."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import SimulationError


@dataclass(frozen=True)
class Slow:
    """Takes, the first time, until there is a file `go` beside `said`; says there who does it."""

    said: Path

    def __call__(self) -> int:
        first = not self.said.exists()
        with self.said.open("a") as file:
            file.write(f"{os.getpid()} {os.getppid()}\n")
        while first and not self.said.with_name("go").exists():
            time.sleep(0.05)  # between two looks at a file that another process makes
        return os.getpid()

    def begun(self) -> list[tuple[int, int]]:
        """The ids of the process and its worker, for each time that it was begun."""
        lines = self.said.read_text().splitlines() if self.said.exists() else []
        return [(int(process), int(worker)) for process, worker in map(str.split, lines)]


def refused() -> None:
    """Something that is a mistake of the user's."""
    raise SimulationError("there is\nno such thing")


def dies() -> None:
    """Something that ends its process."""
    os._exit(7)


def breaks() -> None:
    """Something that is wrong by itself."""
    raise ZeroDivisionError("as one can see")
