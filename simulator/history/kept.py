"""Histories and verdicts read back from a results file, long after their simulations are gone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from simulator import arguments
from simulator.caveats import Caveat
from simulator.errors import SimulationError
from simulator.history.findings import FindingRecord
from simulator.history.gates import Gate
from simulator.history.history import History
from simulator.history.measures.figures import Measure
from simulator.history.notes import Note
from simulator.history.records import LogRecord, RunRecord, StateRecord, TaskRecord
from simulator.history.tables import KEY, TABLES, check_tables

if TYPE_CHECKING:
    import duckdb  # 60 ms, which a test suite without simulations need not pay

Kept = TypeVar("Kept")
Key = tuple[str, str, int]
"""Scenario, variant and seed: what tells one simulation in a results file from another."""


def kept_histories(path: Path) -> dict[Key, History]:
    """The history of each variant in a results file that has one, without log lines.

    Raises SimulationError if there is no such file, or if it is no results file of this version.
    """
    return {
        outcome.key: outcome.history
        for outcome in _outcomes(path, _OF_HISTORIES)
        if outcome.history is not None
    }


@dataclass(frozen=True)
class KeptVerdict:
    """Whether an expectation held, and if not, why: a row of the table `verdicts`."""

    expectation: str
    passed: bool
    message: str
    where: str
    runs: tuple[str, ...]
    explained: tuple[str, ...]
    broken_at: datetime | None
    lost_at: datetime | None


@dataclass(frozen=True)
class Outcome:
    """All that a results file holds of one variant.

    `history` is None if it broke before there was one; `error` then says how. `days` are virtual,
    `real_seconds` those of the wall clock; each is None if it was not told.
    """

    key: Key
    passed: bool
    error: str
    days: float | None
    real_seconds: float | None
    question: str
    lesson: str
    made_with: str
    command: str
    history: History | None
    verdicts: tuple[KeptVerdict, ...]
    measures: tuple[Measure, ...]
    caveats: tuple[Caveat, ...]
    findings: tuple[FindingRecord, ...] = ()


def kept_outcomes(path: Path) -> list[Outcome]:
    """What came out of each variant, in the order in which they were written.

    Raises SimulationError as `kept_histories` does.
    """
    return list(_outcomes(path, tuple(TABLES)))


_OF_HISTORIES = ("variants", "flow_runs", "states", "tasks", "notes", "gates")

Row = dict[str, Any]


def _outcomes(path: Path, names: Iterable[str]) -> Iterator[Outcome]:
    """The outcomes, as far as these tables tell them."""
    if not path.is_file():
        raise SimulationError(f"no results file at {str(path)!r}: `simulate run` writes one")
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            check_tables(connection, path)
            tables = {name: _rows(connection, name) for name in names}
    except duckdb.Error as error:
        text = " ".join(str(error).split())
        raise SimulationError(f"cannot read the results file {str(path)!r}: {text}") from error
    for key, [row] in tables["variants"].items():
        own = {name: tables[name].get(key, []) if name in tables else [] for name in TABLES}
        yield Outcome(
            key=key,
            passed=row["passed"],
            error=row["error"],
            days=row["days"],
            real_seconds=row["real_seconds"],
            question=row["question"],
            lesson=row["lesson"],
            made_with=row["made_with"],
            command=row["command"],
            history=_history(row, own) if row["until"] is not None else None,
            verdicts=tuple(
                KeptVerdict(
                    one["expectation"],
                    one["passed"],
                    one["message"],
                    one["location"],
                    tuple(one["runs"]),
                    tuple(one["explained"]),
                    _perhaps(one["broken_at"]),
                    _perhaps(one["lost_at"]),
                )
                for one in own["verdicts"]
            ),
            measures=tuple(
                Measure(one["name"], one["value"], one["unit"], one["low"], one["high"], one["n"])
                for one in own["measures"]
            ),
            caveats=tuple(
                Caveat(one["kind"], one["message"], one["location"], one["run"])
                for one in own["caveats"]
            ),
            findings=tuple(map(_finding, own["findings"])),
        )


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> dict[Key, list[Row]]:
    """The rows of a table by key, in the order in which they were written."""
    names = [name for name, _, _ in TABLES[table]]
    found: dict[Key, list[Row]] = defaultdict(list)
    query = f"select {', '.join(names)} from {table} order by rowid"
    for values in connection.execute(query).fetchall():
        row = dict(zip(names, values, strict=True))
        found[row["scenario"], row["variant"], row["seed"]].append(row)
    return found


def _finding(row: Row) -> FindingRecord:
    return FindingRecord(
        subject=row["subject"],
        kind=row["kind"],
        kind_says=row["kind_says"],
        rank=row["rank"],
        level=row["level"],
        said=row["said"],
        cause=row["cause"],
        cause_says=row["cause_says"],
        times=row["times"],
        seconds=row["seconds"],
        where=row["location"],
        run_id=row["run_id"],
        explained=row["explained"],
    )


def _history(variant: Row, tables: dict[str, list[Row]]) -> History:
    states = _by_run(tables["states"])
    tasks = _by_run(tables["tasks"])
    return History(
        (_run(row, states[row["run_id"]], tasks[row["run_id"]]) for row in tables["flow_runs"]),
        now=_utc(variant["until"]),
        logs=lambda: _logs(tables["logs"]),
        notes=[
            Note(
                number=row["number"],
                kind=row["kind"],
                at=_utc(row["noted_at"]),
                text=row["text"],
                where=row["location"],
                run_id=row["run_id"],
                task_run_id=row["task_run_id"],
                because=row["because"],
                until=_perhaps(row["over_at"]),
                details=json.loads(row["details"]),
                code=row["code"],
            )
            for row in tables["notes"]
        ],
        gates=[
            Gate(
                kind=row["kind"],
                name=row["name"],
                limit=row["slots"],
                paused=row["paused"],
                schedules=row["schedules"],
                event=row["event"],
                id=row["gate_id"],
                zones=tuple(row["zones"]),
            )
            for row in tables["gates"]
        ],
        deployments=[row["name"] for row in tables["gates"] if row["kind"] == "deployment"],
    )


def _run(row: Row, states: Iterable[Row], tasks: Iterable[Row]) -> RunRecord:
    return RunRecord(
        id=row["run_id"],
        name=row["name"],
        flow=row["flow"],
        deployment=row["deployment"],
        state=row["state"],
        state_type=row["state_type"],
        message=row["message"],
        states=tuple(
            StateRecord(state["name"], state["type"], _utc(state["entered_at"]), state["message"])
            for state in states
        ),
        scheduled=_perhaps(row["scheduled_at"]),
        start=_perhaps(row["started_at"]),
        end=_perhaps(row["ended_at"]),
        run_count=row["run_count"],
        parameters=json.loads(row["parameters"]),
        tags=tuple(row["tags"]),
        tasks=tuple(_tasks(tasks)),
        parent_id=row["parent_id"],
        auto_scheduled=row["auto_scheduled"],
        work_pool=row["work_pool"],
        work_queue=row["work_queue"],
    )


def _tasks(rows: Iterable[Row]) -> Iterator[TaskRecord]:
    for row in rows:
        yield TaskRecord(
            id=row["task_run_id"],
            name=row["name"],
            task=row["task"],
            task_key=row["task"],
            state=row["state"],
            state_type=row["state_type"],
            message=row["message"],
            states=(),  # not kept
            scheduled=_perhaps(row["scheduled_at"]),
            start=_perhaps(row["started_at"]),
            end=_perhaps(row["ended_at"]),
            run_count=row["run_count"],
        )


def _logs(rows: Iterable[Row]) -> dict[UUID, tuple[LogRecord, ...]]:
    return {
        run_id: tuple(
            LogRecord(
                _utc(row["logged_at"]),
                row["level"],
                row["logger"],
                row["message"],
                row["task_run_id"],
            )
            for row in own
        )
        for run_id, own in _by_run(rows).items()
    }


def _by_run(rows: Iterable[Row]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["run_id"]].append(row)
    return found


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC)


def _perhaps(instant: datetime | None) -> datetime | None:
    return None if instant is None else _utc(instant)


def some_of(kept: Mapping[Key, Kept], results: Path, **wanted: str | int | None) -> dict[Key, Kept]:
    """Those of a scenario, a variant and a seed, as far as each is given, of a results file.

    Raises SimulationError, with all that there are, if none is.
    """
    found = {
        key: one
        for key, one in kept.items()
        if all(wanted.get(part) in (None, value) for part, value in zip(KEY, key, strict=True))
    }
    if not found:
        known = ", ".join(sorted(f"{name} [{one}], seed {number}" for name, one, number in kept))
        near = "".join(
            arguments.near(one, {str(key[KEY.index(part)]) for key in kept})
            for part, one in wanted.items()
            if isinstance(one, str)
        )
        raise SimulationError(
            f"no such variant in {str(results)!r}{near}; there are: {known or 'none'}"
        )
    return found
