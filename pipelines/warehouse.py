"""What the pipelines share: where the data lies, how rows land there, and how dbt is run.

Two environment variables name the places, so that a flow runs unchanged on a laptop, in a
deployment, and anywhere else:

- ``WAREHOUSE_PATH``: the DuckDB file (default ``warehouse.duckdb``),
- ``LANDING_DIR``: the folder where feeds land as newline-delimited JSON (default ``landing``).

dbt's profile and sources read the same two. Every landed row carries ``batch_id`` (which cycle
brought it) and ``loaded_at`` (when), so that staleness can be read from every table downstream.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import prefect.runtime
from dbt.cli.main import dbtRunner
from prefect_dbt import PrefectDbtSettings

DBT_PROJECT = Path(__file__).resolve().parent.parent / "dbt"
PASSED = {"success", "pass", "warn", "no-op"}  # what dbt calls a node that did not fail

Row = Mapping[str, Any]


class DbtError(RuntimeError):
    """A dbt command failed. The message names every node that did, and what it said."""


def connect() -> duckdb.DuckDBPyConnection:
    """A connection to the warehouse; close it when done, or other processes wait outside."""
    path = Path(os.environ.get("WAREHOUSE_PATH", "warehouse.duckdb"))
    path.parent.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(path)


def landing_dir() -> Path:
    """The folder in which feeds land, made on first use."""
    folder = Path(os.environ.get("LANDING_DIR", "landing"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def current_batch() -> str:
    """The batch of the cycle this flow run belongs to: its scheduled start, as ``20260105T0000Z``.

    It stays the same when the run is late, waits for a slot, or is retried, so a repeated landing
    replaces its own rows. A run that nobody scheduled has the minute of its creation.
    """
    return batch_of(prefect.runtime.flow_run.scheduled_start_time)


def batch_of(cycle: datetime) -> str:
    """The batch id of a cycle, given an aware instant of it."""
    return f"{cycle.astimezone(UTC):%Y%m%dT%H%MZ}"


def cycle_of(batch_id: str) -> datetime:
    """The instant that a batch id stands for."""
    return datetime.strptime(batch_id, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)


def stamped(rows: Iterable[Row], batch_id: str) -> list[dict[str, Any]]:
    """The rows with the batch they belong to and the instant at which they were loaded."""
    loaded_at = datetime.now(UTC)
    return [{**row, "batch_id": batch_id, "loaded_at": loaded_at} for row in rows]


def land_rows(table: str, rows: Iterable[Row], batch_id: str) -> int:
    """Append rows to a raw table, made on first use; the same batch landed again is replaced.

    All rows need the same columns. Returns how many rows were landed.
    """
    landed = stamped(rows, batch_id)
    if not landed:
        return 0
    schema = table.split(".")[0]
    select = "select unnest(?, recursive := true)"
    with connect() as con:
        con.begin()
        con.execute(f"create schema if not exists {schema}")
        con.execute(f"create table if not exists {table} as from ({select}) limit 0", [landed])
        con.execute(f"delete from {table} where batch_id = ?", [batch_id])
        con.execute(f"insert into {table} by name {select}", [landed])
        con.commit()
    return len(landed)


@contextmanager
def open_feed(name: str, *, atomic: bool) -> Iterator[Callable[[Iterable[Row]], None]]:
    """Write the feed ``LANDING_DIR/<name>.ndjson`` anew; yields a function that writes rows to it.

    In place (``atomic=False``) the old feed is gone at once, and readers see the new one grow with
    every call. Atomically, readers see the old feed until the new one is complete, and keep it if
    the writer fails half-way.
    """
    path = landing_dir() / f"{name}.ndjson"
    target = path.with_name(f"{name}.part") if atomic else path
    with target.open("w", encoding="utf-8") as file:

        def write(rows: Iterable[Row]) -> None:
            file.writelines(json.dumps(row, default=str) + "\n" for row in rows)
            file.flush()

        yield write
    if atomic:
        target.replace(path)


def dbt_settings() -> PrefectDbtSettings:
    """Where prefect-dbt finds the project: this repository's, unless ``DBT_PROJECT_DIR`` and
    ``DBT_PROFILES_DIR`` say otherwise. ``DBT_TARGET_PATH`` says where dbt writes its artifacts.
    """
    places = {"project_dir": "DBT_PROJECT_DIR", "profiles_dir": "DBT_PROFILES_DIR"}
    here = {name: DBT_PROJECT for name, variable in places.items() if variable not in os.environ}
    return PrefectDbtSettings(**here)


def run_dbt(*args: str) -> Any:
    """Run one dbt command on the project, e.g. ``run_dbt("build", "--select", "+products")``.

    Returns dbt's own result. Raises `DbtError` if a node failed, if the command could not run, or
    if it selected nothing (dbt calls that a success). The project is this repository's, unless the
    arguments or dbt's own ``DBT_PROJECT_DIR`` and ``DBT_PROFILES_DIR`` say otherwise.
    """
    command = [*args]
    for option, variable in (
        ("--project-dir", "DBT_PROJECT_DIR"),
        ("--profiles-dir", "DBT_PROFILES_DIR"),
    ):
        if option not in args and variable not in os.environ:
            command += [option, str(DBT_PROJECT)]
    outcome = dbtRunner().invoke(command)
    shown = "dbt " + " ".join(args)
    if isinstance(outcome.exception, Exception):
        error = outcome.exception
        raise DbtError(f"{shown}: {type(error).__name__}: {_one_line(str(error))}") from error
    if outcome.exception is not None:  # Ctrl-C, which dbt hands back as a result
        raise outcome.exception
    results = getattr(outcome.result, "results", None)
    if not outcome.success:
        raise DbtError(f"{shown} failed: " + "; ".join(_failures(results or [])))
    if results is not None and not results:
        raise DbtError(f"{shown}: selected nothing")
    return outcome.result


def _failures(results: Iterable[Any]) -> list[str]:
    """One line for each failed node; nodes that were skipped because of it only if nothing else."""
    lines: dict[bool, list[str]] = {True: [], False: []}
    for result in results:
        status = str(getattr(result.status, "value", result.status))
        if status in PASSED:
            continue
        message = result.message
        if not message and hasattr(result, "max_loaded_at"):  # freshness says nothing itself
            hours = result.age / 3600
            message = f"newest row {result.max_loaded_at:%Y-%m-%d %H:%M} UTC, {hours:.1f} h old"
        line = f"{result.node.unique_id} [{status}] {_one_line(message or '')}".rstrip()
        lines[status == "skipped"].append(line)
    return lines[False] or lines[True]


def _one_line(text: str) -> str:
    """The text without the excerpt of SQL that DuckDB puts below a message."""
    return " ".join(re.split(r"\n\s*LINE \d+:", text)[0].split())
