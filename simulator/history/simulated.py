"""The part of a simulation that is asked why."""

from __future__ import annotations

from typing import overload
from uuid import UUID

from simulator.arguments import calls
from simulator.errors import SimulationError
from simulator.history.explaining import Explanation, TableExplanation, explain, explain_table
from simulator.history.history import History
from simulator.history.records import RunRecord


class Explaining:
    """What a `Simulation` is beside all else: able to say why something is as it is."""

    def history(self) -> History:
        raise NotImplementedError

    @overload
    def explain(self, run: RunRecord | UUID | str, which: int = -1) -> Explanation: ...

    @overload
    def explain(self, *, table: str) -> TableExplanation: ...

    @calls.explain
    def explain(
        self,
        run: RunRecord | UUID | str | None = None,
        which: int = -1,
        *,
        table: str | None = None,
    ) -> Explanation | TableExplanation:
        """Why a run ended as it did, started late or never: in words, back to what caused it.

        `run`: a record, an id, or the name of a run, a flow or a deployment; of a flow or a deployment
        the run number `which`, oldest first, is meant (-1: the newest). `str()` of what is returned
        says it in a few lines, the shortest first; its `reasons` lead to `root`, and `fault` is the
        number of the fault that was behind it.

        With `table` ("schema.table"), why that is as old as it is: which run wrote it last, by a
        statement of a DuckDB connection or by dbt, and each later one that should have and did not. What
        is written otherwise is not seen: by DuckDB's relations, by real processes, in live simulations.

        Raises SimulationError if there is no such run, or if no run has written such a table.
        """
        if run is not None and table is not None:
            raise SimulationError(f"run={run!r} and table={table!r}: explain takes one of them")
        if table is not None:
            return explain_table(self.history(), table)
        return explain(self.history(), run, which)
