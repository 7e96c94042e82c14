"""Reading a Prefect database. Most tests write one through Prefect's own ORM classes, so that ids,
instants and JSON are stored as the server stores them; one runs real flows on a real server.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

import freezegun
import pytest
import sqlalchemy as sa
from prefect.server.database import orm_models as orm
from prefect.server.schemas.states import StateDetails, StateType
from sqlalchemy.orm import Session

from simulator.errors import SimulationError
from simulator.history import reading
from simulator.history.history import History
from simulator.history.reading import Reader
from simulator.history.records import Links
from simulator.instants import Timeline, to_micros

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = {
    "Late": "SCHEDULED",
    "AwaitingRetry": "SCHEDULED",
    "AwaitingConcurrencySlot": "SCHEDULED",
    "Retrying": "RUNNING",
    "TimedOut": "FAILED",
}


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@cache
def empty_tables() -> bytes:
    """A database file with the tables that a history is read from."""
    tables = (
        *(orm.Flow, orm.Deployment, orm.FlowRun, orm.FlowRunState),
        *(orm.TaskRun, orm.TaskRunState, orm.Log),
        *(orm.WorkPool, orm.WorkQueue, orm.DeploymentSchedule, orm.ConcurrencyLimitV2),
        orm.Automation,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "empty.db")
        engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)
        orm.Base.metadata.create_all(engine, tables=[table.__table__ for table in tables])
        return file.read_bytes()


class Server:
    """Writes what a Prefect server would have written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(empty_tables())
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        # Nothing here needs to survive a power cut.
        sa.event.listen(engine, "connect", lambda c, _: c.execute("pragma synchronous = off"))
        self.session = Session(engine, expire_on_commit=False)
        self.flows: dict[str, orm.Flow] = {}
        self.deployments: dict[str, orm.Deployment] = {}
        self.names = 0

    def flow(self, name: str) -> orm.Flow:
        if name not in self.flows:
            self.flows[name] = self._add(orm.Flow(id=uuid4(), name=name))
        return self.flows[name]

    def deployment(self, full_name: str) -> orm.Deployment:
        if full_name not in self.deployments:
            flow, _, name = full_name.partition("/")
            self.deployments[full_name] = self._add(
                orm.Deployment(id=uuid4(), name=name, flow_id=self.flow(flow).id)
            )
        return self.deployments[full_name]

    def run(self, flow: str, *states: tuple, parent: UUID | None = None, **values) -> UUID:
        """A flow run with states given as (name, seconds since T0[, message])."""
        deployment = values.pop("deployment", None)
        full_name = f"{flow}/{deployment}" if deployment else None
        standin = self._standin(parent, flow, full_name) if parent else None
        run = orm.FlowRun(
            id=uuid4(),
            name=values.pop("name", self._name()),
            flow_id=self.flow(flow).id,
            deployment_id=self.deployment(full_name).id if full_name else None,
            parent_task_run_id=standin,
            **self._times(states, values),
        )
        self._add(run)
        self._enter(run, orm.FlowRunState, "flow_run_id", states)
        return run.id

    def task(self, run: UUID, task: str, *states: tuple, **values) -> UUID:
        key = values.pop("dynamic_key", str(uuid4()))
        record = orm.TaskRun(
            id=uuid4(),
            name=values.pop("name", f"{task}-{key[:3]}"),
            task_key=values.pop("task_key", f"{task}-be053052"),
            dynamic_key=key,
            flow_run_id=run,
            **self._times(states, values),
        )
        self._add(record)
        self._enter(record, orm.TaskRunState, "task_run_id", states)
        return record.id

    def log(self, run: UUID, seconds: float, message: str, level: int = 20, **values) -> None:
        self._add(
            orm.Log(
                id=uuid4(),
                name="prefect.flow_runs",
                level=level,
                flow_run_id=run,
                message=message,
                timestamp=at(seconds),
                **values,
            )
        )
        self.session.commit()

    def _standin(self, parent: UUID, flow: str, deployment: str | None) -> UUID:
        key = str(self.names)
        self.names += 1
        if deployment is None:
            return self.task(
                parent, flow, ("Pending", self.names), dynamic_key=key, name=f"{flow}-{key}"
            )
        slug = deployment.replace("/", "-")
        return self.task(
            parent,
            flow,
            ("Pending", self.names),
            dynamic_key=key,
            name=self._name(),
            task_key=f"prefect.deployments.flow_runs.run_deployment.{slug}",
        )

    def _name(self) -> str:
        self.names += 1
        return f"bold-{'otter' * self.names}"

    @staticmethod
    def _times(states, values: dict) -> dict:
        running = [at(s[1]) for s in states if _type(s[0]) == "RUNNING"]
        final = _type(states[-1][0]) in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        values.setdefault("expected_start_time", at(states[0][1]))
        values.setdefault("start_time", running[0] if running else None)
        values.setdefault("end_time", at(states[-1][1]) if final else None)
        values.setdefault("run_count", len(running))
        return values

    def _enter(self, run, table, link: str, states) -> None:
        for name, seconds, *message in states:
            state = table(
                id=uuid4(),
                name=name,
                type=StateType(_type(name)),
                timestamp=at(seconds),
                message=message[0] if message else None,
                state_details=StateDetails(),
                **{link: run.id},
            )
            self._add(state)
            run.state_id, run.state_name, run.state_type = state.id, name, state.type
            run.state_timestamp = state.timestamp
        self.session.commit()

    def _add(self, row):
        self.session.add(row)
        self.session.flush()
        return row


def _type(name: str) -> str:
    return TYPES.get(name, name.upper())


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "prefect.db")
    yield server
    server.session.close()


def ended(seconds: float, final: str = "Completed", *message: str, took: float = 60) -> tuple:
    return (
        ("Scheduled", seconds),
        ("Pending", seconds + 1),
        ("Running", seconds + 5),
        (final, seconds + 5 + took, *message),
    )


# --- what a record holds -----------------------------------------------------------------------


def test_a_run_is_read_with_everything_prefect_wrote(server):
    run_id = server.run(
        "load",
        ("Scheduled", 0, "on time"),
        ("Late", 15),
        ("Pending", 18),
        ("Running", 20),
        ("TimedOut", 80, "exceeded 60 s"),
        deployment="dev",
        parameters={"day": "2026-01-01", "n": 3},
        tags=["nightly", "raw"],
        auto_scheduled=True,
    )

    (run,) = History.read(server.path).runs()

    assert (run.id, run.flow, run.deployment) == (run_id, "load", "load/dev")
    assert (run.state, run.state_type, run.message) == ("TimedOut", "FAILED", "exceeded 60 s")
    assert [(s.name, s.type, s.timestamp, s.message) for s in run.states] == [
        ("Scheduled", "SCHEDULED", at(0), "on time"),
        ("Late", "SCHEDULED", at(15), None),
        ("Pending", "PENDING", at(18), None),
        ("Running", "RUNNING", at(20), None),
        ("TimedOut", "FAILED", at(80), "exceeded 60 s"),
    ]
    assert (run.scheduled, run.start, run.end) == (at(0), at(20), at(80))
    assert (run.run_count, run.auto_scheduled) == (1, True)
    assert run.parameters == {"day": "2026-01-01", "n": 3}
    assert run.tags == ("nightly", "raw")
    assert (run.final, run.completed, run.failed) == (True, False, True)
    assert run.name.startswith("bold-")


def test_instants_are_utc_and_rounded_down_to_the_millisecond(server):
    server.run("f", ("Pending", 0.000999), ("Running", 1.123999), ("Completed", 2.000001))

    (run,) = History.read(server.path).runs()

    assert [state.timestamp for state in run.states] == [at(0), at(1.123), at(2)]
    assert (run.scheduled, run.start, run.end) == (at(0), at(1.123), at(2))
    assert run.start.tzinfo is UTC


def test_instants_are_plain_also_if_the_module_is_first_imported_on_a_frozen_clock():
    with freezegun.freeze_time(T0):
        spec = importlib.util.spec_from_file_location("imported_late", reading.__file__)
        late = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(late)
        instant = late.Instants(None)("2026-01-01 00:00:00.000000")

    assert (type(instant), instant) == (datetime, T0)


def test_timestamps_are_shown_as_the_instants_to_which_they_belong(server):
    server.run("f", ("Scheduled", 0), ("Pending", 1.02), ("Running", 1.04), ("Completed", 61.3))
    timeline = Timeline(to_micros(at(0)))
    for second in (1, 61):
        timeline.jump(to_micros(at(second - 0.95)), to_micros(at(second)), to_micros(at(second)))

    (record,) = History.read(server.path, reader=Reader(lambda: timeline)).runs()

    # At 61.0 nobody had read as much as a third of a second.
    assert [state.timestamp for state in record.states] == [at(0), at(1), at(1), at(61.3)]
    assert (record.scheduled, record.start, record.end) == (at(0), at(1), at(61.3))


def test_a_run_that_has_not_started_has_no_start_and_no_end(server):
    server.run("f", ("Scheduled", 0))

    (run,) = History.read(server.path).runs()

    assert (run.scheduled, run.start, run.end, run.run_count) == (at(0), None, None, 0)
    assert (run.deployment, run.message, run.final) == (None, None, False)


def test_tasks_are_read_with_their_states(server):
    run = server.run("f", *ended(0))
    server.task(
        run,
        "load",
        ("Pending", 6),
        ("Running", 7),
        ("AwaitingRetry", 8, "boom"),
        ("Retrying", 9),
        ("Completed", 10),
        tags=["io"],
    )
    server.task(run, "extract", ("Pending", 5.5), ("Running", 6), ("Failed", 6.5, "no file"))
    server.task(run, "tidy", ("Pending", 11))

    (read,) = History.read(server.path).runs()

    assert [(t.task, t.state, t.state_type, t.run_count) for t in read.tasks] == [
        ("extract", "Failed", "FAILED", 1),
        ("load", "Completed", "COMPLETED", 2),
        ("tidy", "Pending", "PENDING", 0),
    ]
    extract, load, _ = read.tasks
    assert extract.message == "no file"
    assert [(s.name, s.timestamp) for s in load.states][2:4] == [
        ("AwaitingRetry", at(8)),
        ("Retrying", at(9)),
    ]
    assert (load.scheduled, load.start, load.end) == (at(6), at(7), at(10))
    assert load.tags == ("io",)
    assert load.task_key == "load-be053052"
    assert load.name.startswith("load-")


def test_a_task_run_with_a_name_of_its_own_still_tells_its_task(server):
    run = server.run("f", *ended(0))
    server.task(run, "load_one", ("Pending", 5), name="load orders")
    key = "3a96235f-c2c8-4b39-88c7-19a7b2590bbe"
    named = {"name": "Load it-3a9", "dynamic_key": key}  # @task(name="Load it")
    server.task(run, "load_it", ("Pending", 6), **named)

    (read,) = History.read(server.path).runs()

    assert [(task.name, task.task) for task in read.tasks] == [
        ("load orders", "load_one"),
        ("Load it-3a9", "Load it"),
    ]


def test_the_message_is_that_of_the_state_that_the_run_is_in(server):
    """Which need not be the one with the latest timestamp: a worker may report a crash late."""
    run = server.run("f", ("Pending", 0), ("Running", 9, "going on"), ("Crashed", 5, "it died"))

    read = History.read(server.path).run(run)

    assert (read.state, read.message) == ("Crashed", "it died")
    assert [state.name for state in read.states] == ["Pending", "Crashed", "Running"]


# --- parents and children ----------------------------------------------------------------------


def test_subflows_and_deployment_runs_are_children(server):
    parent = server.run("parent", *ended(0, took=600))
    second = server.run("child", *ended(300), parent=parent, deployment="dev")
    first = server.run("child", *ended(100), parent=parent)
    grandchild = server.run("leaf", *ended(110), parent=first)

    history = History.read(server.path)

    top = history.run(parent)
    assert [child.id for child in top.children] == [first, second]
    assert [child.deployment for child in top.children] == [None, "child/dev"]
    assert top.parent is None
    assert history.run(grandchild).parent is history.run(first)
    assert history.run(first).parent is top
    assert [run.id for run in top.descendants()] == [first, grandchild, second]


def test_task_runs_that_stand_for_a_run_are_not_tasks(server):
    parent = server.run("parent", *ended(0))
    server.run("child", *ended(10), parent=parent)
    server.run("child", *ended(20), parent=parent, deployment="dev")
    server.task(parent, "real", ("Pending", 30))

    assert [task.task for task in History.read(server.path).run(parent).tasks] == ["real"]

    with sqlite3.connect(server.path) as connection:  # however they are called
        connection.execute("update task_run set name = 'x', task_key = 'x' where dynamic_key < 9")
    assert len(History.read(server.path).run(parent).tasks) == 1


def test_a_stand_in_is_known_before_its_run_exists(server):
    """A snapshot may fall between the creation of the two."""
    parent = server.run("parent", ("Pending", 0), ("Running", 1))
    server.task(parent, "child", ("Pending", 2), dynamic_key="0", name="child-0")
    key = str(uuid4())  # a subflow called from inside a task
    server.task(parent, "other", ("Pending", 3), dynamic_key=key, name=f"other-{key}")
    server.task(
        parent,
        "x",
        ("Pending", 3),
        dynamic_key="0",
        name="bold-otter",
        task_key="prefect.deployments.flow_runs.run_deployment.child-dev",
    )
    # Task.delay() names its runs like subflows, but they are Scheduled first.
    server.task(parent, "later", ("Scheduled", 4), ("Pending", 5), dynamic_key="0", name="later-0")

    assert [task.task for task in History.read(server.path).run(parent).tasks] == ["later"]


# --- choosing runs -----------------------------------------------------------------------------


def test_runs_are_listed_oldest_first_and_can_be_chosen(server):
    late = server.run("a", *ended(500), deployment="dev")
    waiting = server.run("b", ("Scheduled", 200), deployment="dev")
    early = server.run("a", *ended(0, "Failed"), deployment="prod")
    history = History.read(server.path)

    def chosen(*args, **filters) -> list[UUID]:
        return [run.id for run in history.runs(*args, **filters)]

    assert chosen() == [early, waiting, late]
    assert chosen("a") == [early, late]
    assert chosen(deployment="a/dev") == [late]
    assert chosen(deployment="dev") == [waiting, late]
    assert chosen("b", state="Scheduled") == [waiting]
    assert chosen(state="FAILED") == [early]
    with pytest.raises(SimulationError, match="no flow named 'no-such-flow'"):
        chosen("no-such-flow")
    assert history.flows == ("a", "b")
    assert history.deployments == ("a/dev", "a/prod", "b/dev")


def test_runs_of_one_instant_are_listed_in_the_order_of_their_creation(server):
    ids = [
        server.run("a", ("Pending", 5), created=at(5 + n / 1e6), expected_start_time=at(5))
        for n in (3, 1, 2)
    ]

    listed = [run.id for run in History.read(server.path).runs()]

    assert listed == [ids[1], ids[2], ids[0]]


def test_flows_and_deployments_that_never_ran_are_known(server):
    server.deployment("never/dev")
    server.session.commit()

    history = History.read(server.path)

    assert (history.flows, history.deployments) == (("never",), ("never/dev",))


def test_runs_that_a_schedule_made_for_later_have_not_happened(server):
    done = server.run("f", *ended(0), deployment="dev", auto_scheduled=True)
    schedule = {"deployment": "dev", "auto_scheduled": True}
    prefetched = (("Scheduled", 1), ("Pending", 3590))
    ahead = server.run("f", *prefetched, expected_start_time=at(3600), **schedule)
    later = server.run("f", ("Scheduled", 1), expected_start_time=at(7200), **schedule)
    ordered = server.run("f", ("Scheduled", 2), deployment="dev", expected_start_time=at(9000))

    history = History.read(server.path, now=at(3600.000123))

    assert [run.id for run in history.runs()] == [done, ordered]
    assert [run.id for run in history.upcoming("f")] == [ahead, later]
    assert [run.id for run in history.runs(upcoming=True)] == [done, ahead, later, ordered]
    overdue = History.read(server.path, now=at(7201))
    assert [run.id for run in overdue.runs()] == [done, ahead, later, ordered]


def test_without_a_now_it_is_the_newest_instant_recorded(server):
    server.run("f", *ended(0, took=55))

    assert History.read(server.path).now == at(60)


def test_a_run_is_found_by_its_id(server):
    run_id = server.run("f", *ended(0))
    history = History.read(server.path)

    assert history.run(str(run_id)) is history.run(run_id)
    with pytest.raises(SimulationError, match=r"^no flow run has the id 'nonsense'$"):
        history.run("nonsense")


# --- records behave as values ------------------------------------------------------------------


def test_two_readings_of_one_run_are_equal_until_it_changes(server):
    parent = server.run("parent", ("Pending", 0), ("Running", 1), parameters={"a": [1]})
    first = History.read(server.path).run(parent)
    second = History.read(server.path).run(parent)
    server.run("child", *ended(1), parent=parent)
    third = History.read(server.path).run(parent)

    assert first == second
    assert len({first, second}) == 1
    assert first != third
    assert first != "parent"


def test_records_that_point_at_each_other_can_be_printed_copied_and_pickled(server):
    parent = server.run("parent", *ended(0))
    server.run("child", *ended(10, "Failed", "Flow run failed: boom\nat length"), parent=parent)
    run = History.read(server.path).run(parent)

    text = repr(run.children)
    copied = copy.deepcopy(run)
    carried = pickle.loads(pickle.dumps(run))

    assert text.count("<Run") == 1
    assert copied == run == carried
    assert carried.children[0].parent == carried


def test_a_failing_assertion_names_the_run_on_one_line(server):
    server.run("load", *ended(3600, "Failed", "ValueError: boom\nmore"), deployment="dev")
    server.run("load", *ended(7200, "Completed", "All states completed."))
    server.run("load", ("Scheduled", 9000.25))

    failed, completed, scheduled = (repr(run) for run in History.read(server.path).runs())

    assert failed == (
        "<Run load/dev Failed, scheduled 2026-01-01T01:00:00Z, start 2026-01-01T01:00:05Z, "
        "end 2026-01-01T01:01:05Z, message 'ValueError: boom'>"
    )
    assert completed == (
        "<Run load Completed, scheduled 2026-01-01T02:00:00Z, start 2026-01-01T02:00:05Z, "
        "end 2026-01-01T02:01:05Z>"
    )
    assert scheduled == "<Run load Scheduled, scheduled 2026-01-01T02:30:00.250Z>"


# --- logs --------------------------------------------------------------------------------------


def test_log_lines_are_read_as_of_the_snapshot(server):
    run = server.run("f", *ended(0))
    other = server.run("f", *ended(0))
    task = server.task(run, "load", ("Pending", 1))
    server.log(run, 9, "second", level=40, task_run_id=task)
    server.log(run, 8, "first")
    server.log(other, 8, "not mine")
    history = History.read(server.path)
    server.log(run, 10, "after the snapshot")

    lines = history.run(run).logs

    assert [(line.timestamp, line.level, line.message) for line in lines] == [
        (at(8), 20, "first"),
        (at(9), 40, "second"),
    ]
    assert [line.task_run_id for line in lines] == [None, task]
    assert lines[0].logger == "prefect.flow_runs"
    assert len(History.read(server.path).run(run).logs) == 3


def test_log_lines_of_a_database_that_is_gone_are_one_clear_error(server):
    run = server.run("f", *ended(0))
    history = History.read(server.path)
    server.path.unlink()

    with pytest.raises(SimulationError, match="no Prefect database at"):
        _ = history.run(run).logs


# --- the database ------------------------------------------------------------------------------


def test_reading_does_not_disturb_a_writer_and_sees_what_was_committed(server):
    """As with the server: write-ahead log, a transaction open, readers come and go."""
    server.run("f", *ended(0))
    writer = sqlite3.connect(server.path, isolation_level=None)
    writer.execute("pragma journal_mode = wal")
    writer.execute("begin immediate")
    writer.execute("update flow_run set name = 'uncommitted'")

    assert [run.name for run in History.read(server.path).runs()] != ["uncommitted"]

    writer.execute("commit")
    assert [run.name for run in History.read(server.path).runs()] == ["uncommitted"]
    writer.close()


def test_a_history_is_a_snapshot_though_the_server_writes_on_meanwhile(server, monkeypatch):
    run = server.run("f", *ended(0))
    writer = sqlite3.connect(server.path)
    writer.execute("pragma journal_mode = wal")
    read_tasks = Reader._read_tasks

    def read_tasks_later(*args):
        server.task(run, "load", ("Pending", 9))
        return read_tasks(*args)

    monkeypatch.setattr(Reader, "_read_tasks", read_tasks_later)
    assert len(History.read(server.path).run(run).tasks) == 0
    assert len(History.read(server.path).run(run).tasks) == 1
    writer.close()


def test_the_database_is_opened_for_reading_only(server, monkeypatch):
    opened = []
    connect = sqlite3.connect

    def spy(*args, **kwargs):
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    server.run("f", *ended(0))
    monkeypatch.setattr("simulator.history.reading.sqlite3.connect", spy)
    monkeypatch.setattr("simulator.history.reading._FLOW_RUNS", "delete from flow_run returning *")

    with pytest.raises(SimulationError, match="readonly database"):
        History.read(server.path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("select 1")


def test_a_path_with_characters_special_to_uris_is_read(tmp_path):
    folder = tmp_path / "what? 100% #1"
    folder.mkdir()
    server = Server(folder / "prefect.db")
    server.run("f", *ended(0))
    server.session.close()

    assert len(History.read(server.path).runs()) == 1


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(SimulationError, match=r"^no Prefect database at '.*none\.db'$"):
        History.read(tmp_path / "none.db")


@pytest.mark.parametrize("content", [b"", b"not a database, whatever its name says" * 99])
def test_a_file_that_is_no_prefect_database_is_one_clear_error(tmp_path, content):
    path = tmp_path / "other.db"
    path.write_bytes(content)

    with pytest.raises(SimulationError, match=r"is not a database of a Prefect server"):
        History.read(path)


def test_the_number_of_queries_does_not_grow_with_the_number_of_runs(server, monkeypatch):
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(statements.append)
        return connection

    def read() -> int:
        statements.clear()
        for run in History.read(server.path).runs():
            assert (run.children, run.tasks, run.logs) is not None
        return len(statements)

    monkeypatch.setattr("simulator.history.reading.sqlite3.connect", traced)
    server.run("f", *ended(0))
    with_one_run = read()
    for n in range(30):
        server.task(server.run("f", *ended(n)), "load", ("Pending", n))

    assert read() == with_one_run
    assert with_one_run < 15


# --- what two simulations have in common -------------------------------------------------------


def story(server: Server, shift: float = 0.0, slot: str = "Completed") -> None:
    """The same events with other ids and names, and other parts of a second."""
    parent = server.run("parent", *ended(0 + shift, took=600), parameters={"day": "2026-01-01"})
    made_up = server.session.get(orm.FlowRun, parent).name
    child = server.run(
        "child",
        *ended(10 + shift, "Failed", f"Flow run '{made_up}' ({parent}) failed"),
        parent=parent,
        deployment="dev",
    )
    for _ in range(3):
        server.task(child, "load", ("Pending", 12 + shift), ("Running", 13 + shift), (slot, 14.5))
    server.run("child", *ended(300 + shift), parent=parent)
    server.run("child", *ended(300 + shift), parent=parent, parameters={"n": 2})


@pytest.fixture
def twins(tmp_path):
    servers = [Server(tmp_path / "one.db"), Server(tmp_path / "two.db")]
    yield servers
    for server in servers:
        server.session.close()


def test_equal_stories_are_equal_once_normalised(twins):
    one, two = twins
    two._name()  # other made-up names
    story(one)
    story(two, shift=0.4)

    first, second = (History.read(server.path).normalised() for server in twins)

    assert first == second
    assert json.loads(json.dumps(first)) == first
    assert [run["flow"] for run in first] == ["parent"]
    assert [run["deployment"] for run in first[0]["children"]] == ["child/dev", None, None]
    failed = first[0]["children"][0]
    assert failed["states"][-1] == [
        "Failed",
        "2026-01-01T00:01:15Z",
        "Flow run '<run>' (<id>) failed",
    ]
    assert [task["task"] for task in failed["tasks"]] == ["load", "load", "load"]


@pytest.mark.parametrize(
    "change",
    [
        "update flow_run set run_count = 2",
        'update flow_run set parameters = \'{"day": "2026-01-02"}\'',
        "update flow_run set deployment_id = null",
        "update flow_run set tags = '[\"x\"]'",
        "update flow_run set parent_task_run_id = null",
        "update flow_run_state set message = 'other' where type = 'FAILED'",
        "update flow_run_state set name = 'Late' where name = 'Scheduled'",
        "update flow_run_state set timestamp = '2026-01-01 00:30:00.0' where type = 'FAILED'",
        "update task_run_state set timestamp = '2026-01-01 00:30:00.0' where name = 'Running'",
        "update task_run set run_count = 3",
    ],
)
def test_a_difference_survives_normalising(twins, change):
    for server in twins:
        story(server)
    with sqlite3.connect(twins[0].path) as connection:
        connection.execute(change)

    first, second = (History.read(server.path).normalised() for server in twins)

    assert first != second


def test_the_order_of_equal_instants_does_not_matter_once_normalised(twins):
    one, two = twins
    for server, order in ((one, "ab"), (two, "ba")):
        parent = server.run("parent", *ended(0))
        for flow in order:
            server.run(flow, *ended(10), parent=parent)

    assert History.read(one.path).normalised() == History.read(two.path).normalised()


def test_what_differs_from_process_to_process_is_taken_out_of_messages(server, tmp_path):
    server.run(
        "f",
        *ended(
            0,
            "Failed",
            f"<Api object at 0x7f3a5c0021d0> {tmp_path}/x.json http://127.0.0.1:40935/products "
            "held by (PID 4711) since 12:00:01.123456 at line 12",
        ),
        parameters={"urls": ["http://localhost:8123/a"], "name": "steady"},
    )

    (run,) = History.read(server.path).normalised()

    message = run["states"][-1][2]
    assert message.startswith("<Api object at <address>> <folder>/")
    assert message.endswith(
        "x.json http://127.0.0.1:<port>/products held by (PID <n>) since 12:00:01 at line 12"
    )
    assert run["parameters"] == {"urls": ["http://localhost:<port>/a"], "name": "steady"}


# --- a real server -----------------------------------------------------------------------------

REAL_FLOWS = """
import sqlite3, sys, time
from prefect import flow, get_run_logger, task
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

tries = []

@task(retries=1)
def flaky():
    tries.append(1)
    if len(tries) == 1:
        raise ValueError("boom")

@task
def add(n):
    return n + 1

@task(task_run_name="call it")
def inside_a_task():
    child(2)

@flow
def leaf():
    raise ValueError("deep")

@flow
def middle():
    leaf(return_state=True)

@flow
def child(n: int = 1):
    get_run_logger().warning("number %s", n)
    return add(n)

@flow(flow_run_name="the one of {day}")
def parent(day: str = "2026-01-01"):
    flaky()
    child(3)
    middle()
    inside_a_task()
    run_deployment("child/dev", timeout=0, parameters={"n": 9}, tags=["ordered"])
    add.submit(4).wait()

# A busy machine takes longer to start a server than Prefect waits by default.
harness = prefect_test_harness(server_startup_timeout=300)
with harness, temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
    with get_client(sync_client=True) as client:
        client.create_deployment(client.create_flow(child), "dev")
    parent()
    database = PREFECT_SERVER_DATABASE_CONNECTION_URL.value().partition("///")[2]
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as source:
        # States of tasks and log lines are on their way to the database for a moment yet.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            tasks = "select count(*) from task_run where end_time is not null and task_key like "
            logs = "select count(*) from log where message like 'number %'"
            counts = [source.execute(tasks + kind).fetchone()[0] for kind in
                      ("'add-%'", "'flaky-%'", "'inside_a_task-%'")]
            if counts == [3, 1, 1] and source.execute(logs).fetchone()[0] == 2:
                break
            time.sleep(0.1)
        with sqlite3.connect(sys.argv[1]) as target:
            source.backup(target)
"""


@pytest.mark.slow
def test_real_flows_on_a_real_server_are_read(tmp_path):
    """Guards what the other tests take for granted about the rows that Prefect writes."""
    script, database = tmp_path / "flows.py", tmp_path / "real.db"
    script.write_text(REAL_FLOWS)
    own = {
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
    }
    others = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
    done = subprocess.run(
        [sys.executable, str(script), str(database)],
        env=others | own,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    history = History.read(database)
    (parent,) = history.runs("parent")
    children = {(child.flow, child.parameters.get("n")): child for child in parent.children}

    assert (parent.name, parent.state) == ("the one of 2026-01-01", "Completed")
    assert parent.parameters == {"day": "2026-01-01"}
    assert [(t.task, t.state, t.run_count) for t in parent.tasks] == [
        ("flaky", "Completed", 2),
        ("inside_a_task", "Completed", 1),
        ("add", "Completed", 1),
    ]
    assert parent.tasks[1].name == "call it"
    assert [state.name for state in parent.tasks[0].states] == [
        *("Pending", "Running", "Retrying", "Completed"),
    ]
    assert set(children) == {("child", 3), ("middle", None), ("child", 2), ("child", 9)}
    ordered = children["child", 9]
    assert (ordered.deployment, ordered.state, ordered.start) == ("child/dev", "Scheduled", None)
    assert ordered.tags == ("ordered",)
    subflow = children["child", 3]
    assert (subflow.deployment, subflow.parent) == (None, parent)
    assert [state.name for state in subflow.states] == ["Pending", "Running", "Completed"]
    assert [task.task for task in subflow.tasks] == ["add"]
    assert [(log.level, log.message) for log in subflow.logs if log.level > 20] == [
        (30, "number 3")
    ]
    (leaf,) = children["middle", None].children
    assert (leaf.state, leaf.message) == (
        "Failed",
        "Flow run encountered an exception: ValueError: deep",
    )
    assert history.deployments == ("child/dev",)
    assert [run["flow"] for run in history.normalised()] == ["parent"]


# --- again and again ---------------------------------------------------------------------------


def test_one_reader_sees_at_each_reading_what_a_new_one_sees(server):
    reader = Reader()
    first = server.run("f", *ended(0), parameters={"n": 1})
    task = server.task(first, "load", *ended(6))
    going = server.run("f", ("Scheduled", 1), ("Running", 2))

    def enter(run_id, name, seconds):
        run = server.session.get(orm.FlowRun, run_id)
        server._enter(run, orm.FlowRunState, "flow_run_id", [(name, seconds)])

    def enter_task(task_id, name, seconds):
        run = server.session.get(orm.TaskRun, task_id)
        server._enter(run, orm.TaskRunState, "task_run_id", [(name, seconds)])

    def change(run_id, **values):
        for name, value in values.items():
            setattr(server.session.get(orm.FlowRun, run_id), name, value)
        server.session.commit()

    def delete(run_id):
        server.session.execute(
            sa.delete(orm.FlowRunState).where(orm.FlowRunState.flow_run_id == run_id)
        )
        server.session.execute(sa.delete(orm.FlowRun).where(orm.FlowRun.id == run_id))
        server.session.commit()

    steps = [
        lambda: None,
        lambda: enter(going, "Failed", 9),
        lambda: server.task(going, "load", *ended(3)),
        lambda: change(first, name="renamed", parameters={"n": 2}, tags=["late"]),
        lambda: enter(first, "Scheduled", 300),  # run again from the UI
        lambda: enter(first, "Completed", 200),  # told late
        lambda: enter_task(task, "Failed", 400),
        lambda: server.run("child", *ended(500), parent=going, deployment="dev"),
        lambda: delete(going),
        lambda: server.run("g", *ended(600)),
        lambda: delete(History.read(server.path).runs("g")[0].id),
        # Its states get the numbers of those that are gone.
        lambda: server.run("h", *ended(700)),
    ]
    for step in steps:
        step()
        anew = History.read(server.path)
        with reading.reading(server.path) as connection:
            seen = reader.runs(connection, None)
        assert [replace(run, links=Links()) for run in seen] == [
            replace(run, links=Links()) for run in anew.runs(upcoming=True)
        ]
        assert [run.states for run in seen] == [run.states for run in anew.runs(upcoming=True)]
    assert [run.flow for run in seen] == ["f", "child", "h"]


def test_what_has_ended_is_not_read_again(server, monkeypatch):
    made = []

    def counted(kind):
        def make(*args, **values):
            made.append(kind.__name__)
            return kind(*args, **values)

        return make

    for n in range(10):
        server.task(server.run("f", *ended(n)), "load", *ended(n))
    later = server.run("f", ("Scheduled", 3600))
    for kind in (reading.RunRecord, reading.TaskRecord, reading.StateRecord):
        monkeypatch.setattr(reading, kind.__name__, counted(kind))
    reader = Reader()
    History.read(server.path, now=at(1000), reader=reader)
    assert Counter(made) == {"RunRecord": 11, "TaskRecord": 10, "StateRecord": 81}

    made.clear()
    server.task(later, "load", ("Pending", 3601))
    assert len(History.read(server.path, now=at(1000), reader=reader).runs(upcoming=True)) == 11
    assert Counter(made) == {"RunRecord": 1, "TaskRecord": 1, "StateRecord": 1}


def test_an_instant_to_come_is_read_again_when_it_has_come(server):
    """It is shown as it stands until the clock has been there."""
    server.run("f", ("Scheduled", 0), ("Cancelled", 0.5), expected_start_time=at(61.02))
    timeline = Timeline(to_micros(at(0)))
    reader = Reader(lambda: timeline)
    (before,) = History.read(server.path, now=at(1), reader=reader).runs(upcoming=True)
    assert before.scheduled == at(61.02)
    timeline.jump(to_micros(at(1)), to_micros(at(61)), to_micros(at(61)))
    timeline.read_up_to(to_micros(at(61.1)))
    (after,) = History.read(server.path, now=at(62), reader=reader).runs()
    assert after.scheduled == at(61)


def test_two_threads_that_read_at_once_see_each_state_once(server, monkeypatch):
    server.run("f", *ended(0)[:3])
    reader = Reader()
    seen = []

    def read():
        seen.append(History.read(server.path, reader=reader).runs()[0].states)

    other = threading.Thread(target=read)
    make = reading.StateRecord

    def let_the_other_one_in(*args):
        if other.ident is None:
            other.start()
            other.join(0.5)  # it ends at once if it may read now, and may not
        return make(*args)

    monkeypatch.setattr(reading, "StateRecord", let_the_other_one_in)
    read()
    other.join()
    assert [[state.name for state in states] for states in seen] == 2 * [
        ["Scheduled", "Pending", "Running"]
    ]


# --- size --------------------------------------------------------------------------------------


def test_a_thousand_runs_take_as_many_queries_as_fifty(server, monkeypatch):
    for n in range(50):
        parent = server.run("parent", *ended(n))
        child = server.run("child", *ended(n), parent=parent, deployment="dev")
        server.task(child, "load", ("Pending", n), ("Running", n + 1), ("Completed", n + 2))
    queries = []
    connect = sqlite3.connect

    def traced(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(queries.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    History.read(server.path)
    few = len(queries)
    _multiply(server.path, 20)
    queries.clear()
    history = History.read(server.path)

    assert len(history.runs("child")) == 1000
    assert len(queries) == few < 20


def _multiply(path: Path, copies: int) -> None:
    """Copy every run, with ids of the copies' own."""
    ids = {
        "flow_run": ("id", "parent_task_run_id", "state_id"),
        "flow_run_state": ("id", "flow_run_id"),
        "task_run": ("id", "flow_run_id", "state_id"),
        "task_run_state": ("id", "task_run_id"),
    }
    with sqlite3.connect(path) as connection:
        for table, own in ids.items():
            columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
            rows = connection.execute(f"select * from {table}").fetchall()
            for n in range(1, copies):
                copied = [
                    tuple(
                        f"{n:08x}{value[8:]}" if column in own and value else value
                        for column, value in zip(columns, row, strict=True)
                    )
                    for row in rows
                ]
                marks = ",".join("?" * len(columns))
                connection.executemany(f"insert into {table} values ({marks})", copied)
