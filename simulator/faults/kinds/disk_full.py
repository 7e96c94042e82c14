"""A disk is full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.plans import Stage, VirtualStage
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class DiskFull(TimedFault):
    """The disk is full on which the folder `path` lies; None: every disk, and the warehouse's with it.
    Files that runs open to write them are made, or emptied, and `write`, `flush` or `close` raises
    OSError 28, "No space left on device"; DuckDB fails to commit, with TransactionException, and what
    was there before stays. Not struck are files that are opened to be read as well, or by native code
    (pyarrow, DuckDB's `copy`); a connection that has met it goes on so until it is closed. Linux only.
    """

    kind: ClassVar[str] = "disk full"

    path: str | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "path": arguments.optional(lambda what, given: arguments.text(what, str(given))),
    }

    @property
    def target(self) -> str:
        return self.path or "every disk"

    def check(self, stage: Stage) -> None:
        super().check(stage)
        if self.path is not None and not Path(self.path).is_dir():
            raise SimulationError(f"{self.kind}: path={self.path!r} must be a folder that is there")
        if not Path("/dev/full").exists():
            raise SimulationError(f"{self.kind}: this system has no /dev/full, as Linux has")

    def strike(self, engine: VirtualStage, blow: Blow) -> tuple[VirtualStage, Path]:
        folder = Path(self.path or "/")
        engine.disks.fill(folder)
        if self.path is None:
            engine.warehouse.fill()
        blow.note(named=["No space left on device"])
        return engine, folder

    def put_back(self, kept: Any) -> None:
        engine, folder = kept
        engine.disks.free(folder)
        if self.path is None:
            engine.warehouse.free()

    def does(self) -> str:
        return f"fills {self.target}"
