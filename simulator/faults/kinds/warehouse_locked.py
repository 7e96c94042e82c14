"""Somebody else has the warehouse open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class WarehouseLocked(TimedFault):
    """Somebody else has the simulation's DuckDB file open for writing, and all its tables with it: runs
    are refused, in DuckDB's words. If a run holds the file at that instant, nobody else can.
    """

    kind: ClassVar[str] = "warehouse locked"

    @property
    def target(self) -> str:
        return "the warehouse"

    def strike(self, engine: VirtualStage, blow: Blow) -> Any:
        import duckdb  # late: what users pass is checked without it

        path = str(engine.warehouse.path)
        try:
            connection = duckdb.connect(path)
        except duckdb.IOException:
            return None
        blow.note(named=[path])
        return connection

    def put_back(self, kept: Any) -> None:
        if kept is not None:
            kept.close()

    def does(self) -> str:
        return "locks the warehouse"
