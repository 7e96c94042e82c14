"""Reads the records of flow runs from the database of a Prefect server.

A `Reader` may be asked again and again. What it has read of runs that have ended it keeps, and states
are only ever added, so that the next reading costs what has happened since.

Column names and formats are those of Prefect 3.8 and 3.9: ids, instants (UTC without a zone, to the
microsecond) and JSON are all stored as text.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from simulator.errors import SimulationError
from simulator.history.records import FINAL_TYPES, LogRecord, RunRecord, StateRecord, TaskRecord
from simulator.instants import Timeline, from_micros, to_micros

# Of the true class, also if this is imported under a patched clock: records hold plain datetimes
# (which outlive the simulation), and reading them is fast.
_true = next(kind for kind in datetime.__mro__ if kind.__module__ == "datetime")
_from_iso = cast("type[datetime]", _true).fromisoformat

_Row = tuple[Any, ...]
_Entered = list[tuple[str, str, StateRecord]]
"""The states of a run, oldest first: when, as it is stored; id; record."""

# A deployment's full name is that of its own flow, which is the run's flow.
_FLOW_RUNS = """
    select r.id, r.name, f.name, d.name, r.state_name, r.state_type, r.state_id,
           r.expected_start_time, r.start_time, r.end_time, r.run_count, r.parameters, r.tags,
           p.flow_run_id, r.auto_scheduled, w.name, q.name
    from flow_run r
    join flow f on f.id = r.flow_id
    left join deployment d on d.id = r.deployment_id
    left join task_run p on p.id = r.parent_task_run_id
    left join work_queue q on q.id = r.work_queue_id
    left join work_pool w on w.id = q.work_pool_id
    order by coalesce(r.start_time, r.expected_start_time), r.created, r.rowid
"""

# A call of a subflow or of run_deployment leaves a task run that stands for the called run: it is
# what the called run's parent_task_run_id points at. Until that run is there, such a stand-in is
# known by its key (run_deployment), or by a name that ends in its whole dynamic key (a subflow);
# a real task's name ends in the first three characters of one. Tasks of `Task.delay` are named as
# subflows are, but begin as Scheduled.
_TASK_RUNS = """
    select t.id, t.name, t.task_key, t.dynamic_key, t.state_name, t.state_type, t.state_id,
           t.expected_start_time, t.start_time, t.end_time, t.run_count, t.tags, t.flow_run_id
    from task_run t
    where t.flow_run_id is not null
      and t.task_key not like 'prefect.deployments.flow_runs.run_deployment.%'
      and not exists (select 1 from flow_run r where r.parent_task_run_id = t.id)
      and not (
        t.name like '%-' || t.dynamic_key
        and 'PENDING' = (select s.type from task_run_state s where s.task_run_id = t.id
                         order by s.timestamp limit 1)
      )
    order by coalesce(t.start_time, t.expected_start_time), t.created, t.rowid
"""

_STATES = """
    select s.rowid, s.{run}_id, s.id, s.name, s.type, s.timestamp, s.message
    from {run}_state s where s.rowid > ? order by s.rowid
"""

_LOGS = """
    select flow_run_id, timestamp, level, name, message, task_run_id
    from log where flow_run_id is not null and rowid <= ? order by timestamp, rowid
"""


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection in one read transaction: a snapshot, and no lock that a writer would meet."""
    if not database.is_file():
        raise SimulationError(f"no Prefect database at {str(database)!r}")
    # Autocommit: the transaction is exactly the one begun here.
    connection = sqlite3.connect(
        f"{database.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30
    )
    try:
        connection.execute("begin")
        yield connection
    except sqlite3.DatabaseError as error:
        raise SimulationError(
            f"{str(database)!r} is not a database of a Prefect server: {error}"
        ) from error
    finally:
        connection.close()


class Reader:
    """Reads the runs of one database, and remembers what can change no more.

    Each timestamp is shown as the instant at which it was read from a virtual clock, by its `timeline`,
    which is asked for at each reading: it knows of reads until then.
    """

    def __init__(self, timeline: Callable[[], Timeline | None] = lambda: None) -> None:
        self._timeline = timeline
        self._mutex = threading.Lock()
        self._flow_run_states = _States("flow_run")
        self._task_run_states = _States("task_run")
        self._tasks: dict[str, tuple[_Row, TaskRecord]] = {}
        self._runs: dict[str, tuple[_Row, RunRecord]] = {}

    def runs(self, connection: sqlite3.Connection, now: datetime | None) -> list[RunRecord]:
        """Every flow run, oldest first, with its states and tasks, as read at the instant `now`."""
        with self._mutex:
            return self._read_runs(connection, now)

    def instants(self) -> Instants:
        """Timestamps of the database as the instants that are known by now."""
        return Instants(self._timeline())

    def _read_runs(self, connection: sqlite3.Connection, now: datetime | None) -> list[RunRecord]:
        rows = connection.execute(_FLOW_RUNS).fetchall()
        at = self.instants()  # after the first rows: nothing in this snapshot is newer
        states = self._flow_run_states.read(connection, at)
        tasks = self._read_tasks(connection, at, now)
        runs, kept = [], {}
        for row in rows:
            run_id, of_run = row[0], tuple(tasks.get(row[0], ()))
            known, run = self._runs.get(run_id, (None, None))
            if run is None or known != row or run.tasks != of_run:
                run = _flow_run(row, states.get(run_id, []), of_run, at)
            if _is_over(run, now):
                kept[run_id] = row, run
            runs.append(run)
        self._runs = kept
        return runs

    def _read_tasks(
        self, connection: sqlite3.Connection, at: Instants, now: datetime | None
    ) -> Mapping[str, list[TaskRecord]]:
        """The task runs of every flow run, oldest first."""
        rows = connection.execute(_TASK_RUNS).fetchall()
        states = self._task_run_states.read(connection, at)
        found: dict[str, list[TaskRecord]] = defaultdict(list)
        kept = {}
        for row in rows:
            run_id, flow_run_id = row[0], row[-1]
            known, task = self._tasks.get(run_id, (None, None))
            if task is None or known != row:
                task = _task_run(row, states.get(run_id, []), at)
            if _is_over(task, now):
                kept[run_id] = row, task
            found[flow_run_id].append(task)
        self._tasks = kept
        return found


def _is_over(run: RunRecord | TaskRecord, now: datetime | None) -> bool:
    """Whether a record stays as it is unless its row changes. An instant that is still to come may
    yet be shown as another one.
    """
    return run.state_type in FINAL_TYPES and (
        now is None or run.scheduled is None or run.scheduled <= now
    )


def _flow_run(
    row: _Row, entered: _Entered, tasks: tuple[TaskRecord, ...], at: Instants
) -> RunRecord:
    """The record of a row of _FLOW_RUNS, with its states and tasks."""
    (run_id, name, flow, deployment, state, state_type, state_id) = row[:7]
    (scheduled, start, end, run_count, parameters, tags, parent_id) = row[7:14]
    (auto_scheduled, work_pool, work_queue) = row[14:]
    states = tuple(record for *_, record in entered)
    # Prefect fills in a start also for a run that ends without having run, and lets the first end stand
    # for a run that goes on and ends again.
    has_run = any(one.type == "RUNNING" for one in states)
    ended = state_type in FINAL_TYPES and bool(states)
    return RunRecord(
        id=UUID(run_id),
        name=name,
        flow=flow,
        deployment=f"{flow}/{deployment}" if deployment else None,
        state=state or "",
        state_type=state_type or "",
        message=_message(entered, state_id),
        states=states,
        scheduled=at.optional(scheduled),
        start=at.optional(start) if has_run else None,
        end=states[-1].timestamp if ended else at.optional(end),
        run_count=run_count,
        parameters=json.loads(parameters),
        tags=tuple(json.loads(tags)),
        tasks=tasks,
        parent_id=UUID(parent_id) if parent_id else None,
        auto_scheduled=bool(auto_scheduled),
        work_pool=work_pool,
        work_queue=work_queue,
    )


def _task_run(row: _Row, entered: _Entered, at: Instants) -> TaskRecord:
    """The record of a row of _TASK_RUNS, with its states."""
    (run_id, name, task_key, dynamic_key, state, state_type, state_id) = row[:7]
    (scheduled, start, end, run_count, tags, _) = row[7:]
    return TaskRecord(
        id=UUID(run_id),
        name=name,
        task=_task_name(name, task_key, dynamic_key),
        task_key=task_key,
        state=state or "",
        state_type=state_type or "",
        message=_message(entered, state_id),
        states=tuple(record for *_, record in entered),
        scheduled=at.optional(scheduled),
        start=at.optional(start),
        end=at.optional(end),
        run_count=run_count,
        tags=tuple(json.loads(tags)),
    )


def _task_name(name: str, task_key: str, dynamic_key: str) -> str:
    """The task's own name: its run's without the random ending, or, for a run that was given a
    name, the function's.
    """
    for ending in (f"-{dynamic_key}", f"-{dynamic_key[:3]}"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return task_key.rpartition("-")[0] or task_key


class _States:
    """The states of every flow run or task run, oldest first, each with its id.

    Rows are added and never changed. SQLite gives the number of a deleted row to the next one only if
    it was the highest, so the row that was read last tells whether all before it are still the same.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._last: tuple[int, str] | None = None
        self._found: dict[str, _Entered] = defaultdict(list)

    def read(self, connection: sqlite3.Connection, at: Instants) -> Mapping[str, _Entered]:
        if self._last is not None:
            rowid, state_id = self._last
            there = f"select 1 from {self._run}_state where rowid = ? and id = ?"
            if connection.execute(there, (rowid, state_id)).fetchone() is None:
                self._last, self._found = None, defaultdict(list)
        added = set()
        first = self._last[0] if self._last is not None else 0
        for rowid, run_id, state_id, name, kind, timestamp, message in connection.execute(
            _STATES.format(run=self._run), (first,)
        ):
            record = StateRecord(name, kind, at(timestamp), message)
            self._found[run_id].append((timestamp, state_id, record))
            self._last = rowid, state_id
            added.add(run_id)
        for run_id in added:
            self._found[run_id].sort(key=itemgetter(0))
        return self._found


def logs_by_run(database: Path, last: int, at: Instants) -> dict[UUID, tuple[LogRecord, ...]]:
    """The log lines of every flow run up to row number `last`, oldest first."""
    found: dict[UUID, list[LogRecord]] = defaultdict(list)
    with reading(database) as connection:
        for run_id, timestamp, level, logger, message, task_run_id in connection.execute(
            _LOGS, (last,)
        ):
            found[UUID(run_id)].append(
                LogRecord(
                    timestamp=at(timestamp),
                    level=level,
                    logger=logger,
                    message=message,
                    task_run_id=UUID(task_run_id) if task_run_id else None,
                )
            )
    return {run_id: tuple(lines) for run_id, lines in found.items()}


def _message(entered: _Entered, state_id: str | None) -> str | None:
    """The message of the state that the run is in."""
    for _, known, record in reversed(entered):
        if known == state_id:
            return record.message
    return None


class Instants:
    """Timestamps of the database as instants."""

    def __init__(self, timeline: Timeline | None) -> None:
        self._timeline = timeline

    def __call__(self, text: str) -> datetime:
        """SQLite's "2026-01-01 12:10:00.000123" as an aware UTC datetime, to the millisecond."""
        shown = _from_iso(f"{text[:26]}+00:00")
        if self._timeline is not None:
            shown = from_micros(self._timeline.instant_of(to_micros(shown)))
        return to_millisecond(shown)

    def optional(self, text: str | None) -> datetime | None:
        return self(text) if text else None


def to_millisecond(instant: datetime) -> datetime:
    """The instant without what readings of the clock have added to it."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
