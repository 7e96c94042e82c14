"""The tables of a results file: what each column means, and the rows that hold a history.

Every instant is a TIMESTAMP in UTC. The text about a column stands in the file as its comment
(`select * from duckdb_columns()`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import SimulationError
from simulator.history.findings import FindingRecord
from simulator.history.history import History
from simulator.history.notes import Note
from simulator.history.records import RunRecord

if TYPE_CHECKING:
    import duckdb

SCHEMA = 4
"""Version of the tables. It goes up when one of them, or a column, is added, changed or gone."""

KEY = ("scenario", "variant", "seed")
"""The first columns of every table: what tells one simulation from another."""

_KEY_COLUMNS = (
    ("scenario", "VARCHAR", "name of the scenario"),
    ("variant", "VARCHAR", "name of the variant"),
    ("seed", "BIGINT", "seed of the simulation"),
)

TABLES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "variants": (
        *_KEY_COLUMNS,
        ("passed", "BOOLEAN", "whether it ran to its end and every expectation held"),
        ("error", "VARCHAR", "one line if the variant itself broke, else empty"),
        ("until", "TIMESTAMP", "virtual instant at which the history was read"),
        ("days", "DOUBLE", "virtual days that it was asked to live"),
        ("real_seconds", "DOUBLE", "what it took on the wall clock"),
        ("question", "VARCHAR", "what the scenario asks, else empty"),
        ("lesson", "VARCHAR", "what the scenario shows, else empty"),
        ("made_with", "VARCHAR", "versions of what it ran on, else empty"),
        ("command", "VARCHAR", "the command that repeats it, else empty"),
    ),
    "flow_runs": (
        *_KEY_COLUMNS,
        ("run_id", "UUID", "id of the flow run"),
        ("parent_id", "UUID", "run_id of the run that called it"),
        ("name", "VARCHAR", "name of the run"),
        ("flow", "VARCHAR", "name of the flow"),
        ("deployment", "VARCHAR", "flow/deployment; null if called directly or as a subflow"),
        ("state", "VARCHAR", "name of the newest state, such as TimedOut"),
        ("state_type", "VARCHAR", "type of the newest state, such as FAILED"),
        ("message", "VARCHAR", "message of the newest state"),
        ("scheduled_at", "TIMESTAMP", "when it was expected to start"),
        ("started_at", "TIMESTAMP", "when it first entered Running"),
        ("ended_at", "TIMESTAMP", "when it reached its final state"),
        ("run_count", "INTEGER", "number of attempts"),
        ("auto_scheduled", "BOOLEAN", "whether a schedule made it"),
        ("parameters", "JSON", "parameters of the run"),
        ("tags", "VARCHAR[]", "tags of the run"),
        ("work_pool", "VARCHAR", "work pool that it waited in; null if no worker takes it"),
        ("work_queue", "VARCHAR", "work queue that it waited in"),
    ),
    "states": (
        *_KEY_COLUMNS,
        ("run_id", "UUID", "id of the flow run"),
        ("position", "INTEGER", "0 for the first state of the run, and so on"),
        ("name", "VARCHAR", "name of the state, such as Late"),
        ("type", "VARCHAR", "type of the state, such as SCHEDULED"),
        ("entered_at", "TIMESTAMP", "when the run entered it"),
        ("message", "VARCHAR", "message of the state"),
    ),
    "tasks": (
        *_KEY_COLUMNS,
        ("run_id", "UUID", "id of the flow run"),
        ("task_run_id", "UUID", "id of the task run"),
        ("name", "VARCHAR", "name of the task run"),
        ("task", "VARCHAR", "name of the task"),
        ("state", "VARCHAR", "name of the newest state"),
        ("state_type", "VARCHAR", "type of the newest state"),
        ("message", "VARCHAR", "message of the newest state"),
        ("scheduled_at", "TIMESTAMP", "when it was expected to start"),
        ("started_at", "TIMESTAMP", "when it first entered Running"),
        ("ended_at", "TIMESTAMP", "when it reached its final state"),
        ("run_count", "INTEGER", "number of attempts"),
    ),
    "measures": (
        *_KEY_COLUMNS,
        ("name", "VARCHAR", "name of the measure"),
        ("value", "DOUBLE", "its value; null where it is undefined"),
        ("unit", "VARCHAR", "share (0 to 1), seconds (virtual), runs, ..."),
        ("low", "DOUBLE", "lower end of the 95 % interval of a share; least value of a mean"),
        ("high", "DOUBLE", "upper end of the 95 % interval of a share; greatest of a mean"),
        ("n", "BIGINT", "number of runs, builds or incidents that it rests on"),
    ),
    "verdicts": (
        *_KEY_COLUMNS,
        ("expectation", "VARCHAR", "what was to hold"),
        ("passed", "BOOLEAN", "whether it did"),
        ("message", "VARCHAR", "the failed assertion, else empty"),
        ("location", "VARCHAR", "file and line of the failed assertion, else empty"),
        ("runs", "VARCHAR[]", "the runs that it was looking at"),
        ("explained", "VARCHAR[]", "why each of them ended so"),
        ("broken_at", "TIMESTAMP", "when a promise was first broken; null of other verdicts"),
        (
            "lost_at",
            "TIMESTAMP",
            "from when on that could no longer be averted; null where it is not known",
        ),
    ),
    "findings": (
        *_KEY_COLUMNS,
        ("subject", "VARCHAR", "deployment, flow or task that it is about"),
        ("kind", "VARCHAR", "what is wrong with it, or in an audit what became of it"),
        ("kind_says", "VARCHAR", "what that means"),
        ("rank", "INTEGER", "place among all kinds: 0 is the most serious"),
        ("level", "VARCHAR", "serious, noticed, minor, unknown or well"),
        ("said", "VARCHAR", "what is the case, in words"),
        ("cause", "VARCHAR", "what was done to it in an audit, such as raises; else empty"),
        ("cause_says", "VARCHAR", "the same in more words"),
        ("times", "INTEGER", "how often it was seen"),
        ("seconds", "DOUBLE", "how long it took, or by how much something is later"),
        ("location", "VARCHAR", "file and line of the user's code, else empty"),
        ("run_id", "UUID", "run_id of the flow run that shows it"),
        ("explained", "VARCHAR", "why that run went so, else empty"),
    ),
    "notes": (
        *_KEY_COLUMNS,
        ("number", "INTEGER", "0 for the first note of the simulation, and so on"),
        (
            "kind",
            "VARCHAR",
            (
                "fault, call, error, away, paused, order, table, write, read, result:"
                " see simulator.history.notes"
            ),
        ),
        ("noted_at", "TIMESTAMP", "when it happened"),
        ("over_at", "TIMESTAMP", "when it was over, of what lasts"),
        ("text", "VARCHAR", "what happened, in words"),
        ("location", "VARCHAR", "file and line of the user's code, else empty"),
        ("run_id", "UUID", "id of the flow run that it is about"),
        ("task_run_id", "UUID", "id of the task run that it is about"),
        ("because", "INTEGER", "number of the note that it follows from"),
        ("details", "JSON", "what only notes of its kind have"),
        ("code", "VARCHAR", "the line of code at the location, else empty"),
    ),
    "logs": (
        *_KEY_COLUMNS,
        ("run_id", "UUID", "id of the flow run"),
        (
            "task_run_id",
            "UUID",
            "id of the task run that has written it; null if the flow itself has",
        ),
        ("logged_at", "TIMESTAMP", "when it was written"),
        ("level", "INTEGER", "as Python's logging has them: 20 is INFO"),
        ("logger", "VARCHAR", "name of the logger"),
        ("message", "VARCHAR", "what it says"),
    ),
    "caveats": (
        *_KEY_COLUMNS,
        ("kind", "VARCHAR", "what it has in common with others, such as real time"),
        ("message", "VARCHAR", "what the simulation could not show rightly"),
        ("location", "VARCHAR", "file and line of the user's code, else empty"),
        ("run", "VARCHAR", "name of the flow run that met it first, else empty"),
    ),
    "gates": (
        *_KEY_COLUMNS,
        ("kind", "VARCHAR", "deployment, work pool, work queue, trigger or automation"),
        ("name", "VARCHAR", "flow/deployment; pool; pool/queue; name of an automation"),
        ("slots", "INTEGER", "how many runs it lets through at a time; null for any number"),
        ("paused", "BOOLEAN", "whether it was paused at the end"),
        ("schedules", "INTEGER", "number of active schedules of a deployment"),
        ("event", "VARCHAR", "event that a trigger waits for to run the deployment"),
        ("gate_id", "UUID", "id of the deployment, pool, queue or automation"),
        ("zones", "VARCHAR[]", "time zones that the schedules of a deployment name"),
    ),
}
"""Every table with its columns: name, type, meaning."""


def _run_row(run: RunRecord) -> tuple[Any, ...]:
    return (
        run.id,
        run.parent_id,
        run.name,
        run.flow,
        run.deployment,
        run.state,
        run.state_type,
        run.message,
        utc(run.scheduled),
        utc(run.start),
        utc(run.end),
        run.run_count,
        run.auto_scheduled,
        json.dumps(run.parameters),
        list(run.tags),
        run.work_pool,
        run.work_queue,
    )


def _state_rows(run: RunRecord) -> Iterator[tuple[Any, ...]]:
    for position, state in enumerate(run.states):
        entered = utc(state.timestamp)
        yield (run.id, position, state.name, state.type, entered, state.message)


def _task_rows(run: RunRecord) -> Iterator[tuple[Any, ...]]:
    for task in run.tasks:
        yield (
            run.id,
            task.id,
            task.name,
            task.task,
            task.state,
            task.state_type,
            task.message,
            utc(task.scheduled),
            utc(task.start),
            utc(task.end),
            task.run_count,
        )


def _note_row(note: Note) -> tuple[Any, ...]:
    return (
        note.number,
        note.kind,
        utc(note.at),
        utc(note.until),
        note.text,
        note.where,
        note.run_id,
        note.task_run_id,
        note.because,
        json.dumps(note.details),
        note.code,
    )


def finding_row(finding: FindingRecord) -> tuple[Any, ...]:
    """The row of a finding, without its key."""
    return (
        finding.subject,
        finding.kind,
        finding.kind_says,
        finding.rank,
        finding.level,
        finding.said,
        finding.cause,
        finding.cause_says,
        finding.times,
        finding.seconds,
        finding.where,
        finding.run_id,
        finding.explained,
    )


def _log_rows(history: History, runs: Iterable[RunRecord]) -> Iterator[tuple[Any, ...]]:
    """None if they can be read no more: their database is gone."""
    try:
        logs = history.read_logs()
    except SimulationError:
        return
    for run in runs:
        for line in logs.get(run.id, ()):
            at = utc(line.timestamp)
            yield (run.id, line.task_run_id, at, line.level, line.logger, line.message)


def utc(instant: datetime | None) -> datetime | None:
    """An instant as DuckDB's TIMESTAMP takes it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant is not None else None


def rows_of(history: History | None) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a history by table, without their key; none of a variant that has no history."""
    runs = history.runs() if history is not None else []
    return {
        "flow_runs": [_run_row(run) for run in runs],
        "states": [row for run in runs for row in _state_rows(run)],
        "tasks": [row for run in runs for row in _task_rows(run)],
        "notes": [_note_row(note) for note in history.notes] if history is not None else [],
        "logs": list(_log_rows(history, runs)) if history is not None else [],
        "gates": [
            (*astuple(gate)[:-1], list(gate.zones)) for gate in (history.gates if history else ())
        ],
    }


def check_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raises SimulationError if a file is not a results file of this version, or holds nothing yet."""
    if not connection.execute("select 1 from duckdb_columns() where not internal").fetchall():
        raise SimulationError(
            f"{str(path)!r} holds no results: what was to write them ended before the first"
        )
    for table, columns in TABLES.items():
        found = columns_of(connection, table)
        if found != [name for name, _, _ in columns]:
            has = f"its table {table!r} has the columns {', '.join(found)}"
            raise SimulationError(
                f"{str(path)!r} is not a results file of this version:"
                f" {has if found else f'it has no table {table!r}'}"
            )


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The names of the columns of a table, in order; none if there is no such table."""
    rows = connection.execute(
        "select column_name from duckdb_columns() where table_name = ? order by column_index",
        (table,),
    )
    return [name for (name,) in rows.fetchall()]
