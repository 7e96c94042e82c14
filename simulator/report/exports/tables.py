"""The tables of a results file as Parquet or JSON lines, by DuckDB's own COPY."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import SimulationError
from simulator.history import RESULT_TABLES

OPTIONS = {"parquet": "format parquet", "jsonl": "format json"}


def write_tables(results: Path, to: str, folder: Path) -> None:
    """Write a file for each table into a folder, such as `flow_runs.parquet`, in the order of its rows.

    Raises SimulationError if DuckDB cannot read the one or write the other.
    """
    import duckdb

    try:
        with duckdb.connect(str(results), read_only=True) as connection:
            for table in RESULT_TABLES:
                place = folder / f"{table}.{to}"
                part = folder / f"{table}.{to}.part"
                connection.execute(
                    f"copy (select * from {table} order by rowid)"
                    f" to '{str(part).replace(chr(39), chr(39) * 2)}' ({OPTIONS[to]})"
                )
                part.replace(place)
    except duckdb.Error as error:
        text = " ".join(str(error).split())
        raise SimulationError(
            f"cannot export {str(results)!r} to {str(folder)!r}: {text}"
        ) from error
