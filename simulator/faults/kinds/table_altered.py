"""A table has other columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.plans import Stage, VirtualStage
from simulator.faults.timed import Blow, TimedFault


@dataclass(frozen=True, kw_only=True)
class TableAltered(TimedFault):
    """Somebody alters a `table` of the warehouse, in the words of SQL's `alter table`:
    "drop column amount", "rename amount to total", "add column note varchar".
    """

    kind: ClassVar[str] = "table altered"
    momentary: ClassVar[bool] = True

    table: str
    change: str

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "table": arguments.text,
        "change": arguments.text,
    }

    @property
    def target(self) -> str:
        return self.table

    def check(self, stage: Stage) -> None:
        super().check(stage)
        import duckdb  # late: what users pass is checked without it

        try:
            duckdb.extract_statements(self._statement)
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise SimulationError(
                f"{self._statement!r} is no statement of DuckDB: {said}"
            ) from None

    @property
    def _statement(self) -> str:
        return f"alter table {self.table} {self.change}"

    def strike(self, engine: VirtualStage, blow: Blow) -> None:
        import duckdb  # late: what users pass is checked without it

        try:
            engine.warehouse.execute(self._statement)
        except duckdb.Error as error:
            raise SimulationError(f"{self.does()}: {' '.join(str(error).split())}") from None
        note = blow.note(named=[self.table, *(f'"{word}"' for word in self.change.split())])
        engine.readings.watch_table(self.table, note)

    def does(self) -> str:
        return f"alters table {self.table}: {self.change}"
