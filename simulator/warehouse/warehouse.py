"""The DuckDB file of a simulation, and dbt beside it.

A `Warehouse` opens its file for one statement at a time and keeps nothing open itself, unless told
to, so flows may open the same file as they like. `installed` puts DuckDB's and dbt's clocks on virtual
time and lets flows call dbt from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from simulator.arguments import kinds
from simulator.errors import SimulationError
from simulator.patches import duckdb_default, duckdb_locks, duckdb_statements
from simulator.patches.duckdb import virtual_now
from simulator.patches.full_disks import FULL
from simulator.warehouse.dbt import Invoked, dbt_installed, release
from simulator.warehouse.writes import Writes


@contextmanager
def warehouse_installed(
    now: Callable[[], datetime],
    folder: Path,
    writes: Writes,
    invoked: Invoked = lambda: lambda *_: None,
) -> Iterator[None]:
    """Patch DuckDB and dbt for one simulation; everything is as before when it ends.

    Args:
        now: The virtual clock, as aware instants.
        folder: A throw-away folder; what dbt writes goes to `dbt` in it. Created when needed.
        writes: Takes notes of the tables that are written.
        invoked: Called when dbt is invoked; says what is wrong with a node, if anything shall be.
    """
    with (
        virtual_now(now),
        duckdb_locks.installed(),
        duckdb_default.installed(),
        duckdb_statements.told(writes.asked, writes.saw),
        dbt_installed(folder / "dbt", writes, invoked),
    ):
        yield


class Warehouse:
    """One DuckDB file, usable from any thread. The file is made by the first statement.

    Errors are `SimulationError`, in one line, for a file that cannot be opened; what DuckDB says of
    a statement is raised as DuckDB raised it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: duckdb.DuckDBPyConnection | None = None
        self._fills = 0

    def __repr__(self) -> str:
        return f"Warehouse({str(self.path)!r})"

    def query(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement, as tuples."""
        with closing(self._connect()) as con:
            return con.execute(kinds.text("sql", sql), parameters).fetchall()

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a statement, as dictionaries by column name."""
        with closing(self._connect()) as con:
            result = con.execute(kinds.text("sql", sql), parameters)
            names = [column[0] for column in result.description or []]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def execute(self, sql: str, parameters: list[Any] | None = None) -> None:
        """Run statements for their effect."""
        with closing(self._connect()) as con:
            con.execute(kinds.text("sql", sql), parameters)

    def keep_open(self) -> None:
        """Keep the file open until the simulation ends.

        Opening it takes some 15 ms of real time and each flow that touches it does so; once it is
        open in this process, it takes next to none. Meanwhile no other process can open it, nothing
        can open it with other settings (read-only), and a copy of the file lacks what DuckDB would
        have written down when it closed it.
        """
        if self._kept is None:
            self._kept = self._connect()

    def fill(self) -> None:
        """Let DuckDB find the disk full whenever it writes, until as many times `free`.

        What is committed goes to a log beside the file first, which lies on a disk that is always full.
        """
        self._fills += 1
        if not self._log.is_symlink():
            self.execute("checkpoint")  # what stands in the log goes into the file
            self._log.symlink_to(FULL)

    def free(self) -> None:
        """Let there be space again, for whoever opens the file from now on."""
        self._fills -= 1
        if self._fills or not self._log.is_symlink():
            return
        kept = self._kept is not None
        self.close()
        self._log.unlink(missing_ok=True)
        if kept:
            self.keep_open()

    @property
    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}.wal")

    def close(self) -> None:
        """Let go of the file, also on dbt's behalf; what dbt is running is interrupted."""
        release(interrupt=True)
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            con = duckdb_locks.unlocked(self.path)  # a look at it is no process of the simulation
        except duckdb.Error as error:
            reason = " ".join(str(error).split())
            raise SimulationError(f"cannot open the DuckDB file {self.path}: {reason}") from error
        con.execute("set TimeZone = 'UTC'")
        return con
