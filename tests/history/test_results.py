"""Writing results: whole variants, readable by anybody, never fighting over a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest

from simulator.caveats import Caveat
from simulator.errors import SimulationError
from simulator.history import results as module
from simulator.history.history import History, LogRecord, RunRecord, StateRecord, TaskRecord
from simulator.history.kept import kept_outcomes
from simulator.history.results import KEY, TABLES, Results, merge
from simulator.measures import Measure, default_measures

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Judged:
    expectation: str
    passed: bool
    message: str = ""
    where: str = ""
    runs: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    broken_at: datetime | None = None
    lost_at: datetime | None = None


def history(runs: int = 1, state: str = "Completed") -> History:
    """Parents with a child each; the child has a task."""
    records = []
    for n in range(runs):
        start = T0 + timedelta(hours=n)
        parent = _run("parent", start, state, parameters={"day": "2026-01-01", "n": n})
        records.append(parent)
        records.append(
            _run(
                "child",
                start,
                "Failed",
                deployment="child/dev",
                parent_id=parent.id,
                tags=("a", "b"),
                tasks=(_task(start),),
            )
        )
    return History(records, now=T0 + timedelta(days=1))


def _run(flow: str, start: datetime, state: str, **values) -> RunRecord:
    fields = {"deployment": None, "message": "it's done", "run_count": 1} | values
    return RunRecord(
        id=uuid4(),
        name="bold-otter",
        flow=flow,
        state=state,
        state_type=state.upper(),
        states=(
            StateRecord("Running", "RUNNING", start),
            StateRecord(state, state.upper(), start + timedelta(milliseconds=1500), "it's done"),
        ),
        scheduled=start,
        start=start,
        end=start + timedelta(milliseconds=1500),
        **fields,
    )


def _task(start: datetime) -> TaskRecord:
    return TaskRecord(
        *(uuid4(), "load-3a9", "load", "load-be05", "Pending", "PENDING", None, ()),
        scheduled=start,
        start=None,
        end=None,
        run_count=0,
    )


def query(path: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def counts(path: Path) -> dict[str, int]:
    return {table: query(path, f"select count(*) from {table}")[0][0] for table in TABLES}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "results.duckdb"


# --- what stands in the file -------------------------------------------------------------------


def test_a_variant_is_written_with_its_runs_states_and_tasks(path):
    given = history()
    parent, child = given.runs()

    Results.open(path).add("s", "v", 7, given)

    assert query(path, "select * from flow_runs where flow = 'child'") == [
        (
            *("s", "v", 7, child.id, parent.id, "bold-otter", "child", "child/dev"),
            *("Failed", "FAILED", "it's done"),
            datetime(2026, 1, 1),  # noqa: DTZ001
            datetime(2026, 1, 1),  # noqa: DTZ001
            datetime(2026, 1, 1, 0, 0, 1, 500_000),  # noqa: DTZ001
            *(1, False, "{}", ["a", "b"], None, None),
        )
    ]
    assert query(path, "select parent_id, parameters ->> 'day' from flow_runs where tags = []") == [
        (None, "2026-01-01")
    ]
    assert query(
        path,
        "select position, name, type, entered_at - timestamp '2026-01-01', message "
        f"from states where run_id = '{parent.id}' order by position",
    ) == [
        (0, "Running", "RUNNING", timedelta(0), None),
        (1, "Completed", "COMPLETED", timedelta(seconds=1.5), "it's done"),
    ]
    assert query(path, "select run_id, task, state, started_at, run_count from tasks") == [
        (child.id, "load", "Pending", None, 0)
    ]


def test_a_variant_is_written_with_the_lines_of_its_log_as_far_as_they_can_be_read(path):
    runs = history().runs()
    line = LogRecord(T0, 30, "prefect.task_runs", "odd", uuid4())
    written = History(runs, now=T0 + timedelta(days=1), logs=lambda: {runs[1].id: (line,)})
    Results.open(path).add("s", "v", 7, written)

    def gone():
        raise SimulationError("no Prefect database")

    Results.open(path).add("s", "w", 7, History(runs, now=T0 + timedelta(days=1), logs=gone))
    [row] = query(path, "select * from logs")
    at = T0.replace(tzinfo=None)
    assert row == ("s", "v", 7, runs[1].id, line.task_run_id, at, 30, "prefect.task_runs", "odd")
    [of_v, of_w] = [one.history for one in kept_outcomes(path)]
    assert of_v.run(runs[1].id).logs == (line,)
    assert of_w.run(runs[1].id).logs == ()


def test_a_variant_is_written_with_its_measures_and_verdicts(path):
    measures = [
        Measure("parent success", 0.5, "share", 0.1, 0.9, 4),
        Measure("waiting", None, "seconds"),
    ]
    instants = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (7, 6)]
    why = ("assert 1 == 2", "x.py:3", ("<Run a>",), ("for a reason",))
    verdicts = [Judged("it holds", True), Judged("it does not", False, *why, *instants)]

    results = Results.open(path)
    caveats = [Caveat("real time", "a process", "flows.py:3", "calm-seal")]
    told = {"question": "Does it?", "lesson": "It does.", "made_with": "Prefect 3.9"}
    told["command"] = "simulate run s"
    results.add(
        "s",
        "v",
        0,
        history(),
        measures,
        verdicts,
        days=2,
        real_seconds=1.25,
        caveats=caveats,
        **told,
    )
    results.add("s", "good", 0, history(), measures, verdicts[:1])

    assert query(path, "select * from caveats") == [
        ("s", "v", 0, "real time", "a process", "flows.py:3", "calm-seal")
    ]
    assert query(path, "select * from measures where variant = 'v' order by name") == [
        ("s", "v", 0, "parent success", 0.5, "share", 0.1, 0.9, 4),
        ("s", "v", 0, "waiting", None, "seconds", None, None, 0),
    ]
    assert query(path, "select * from verdicts where variant = 'v' order by passed") == [
        (
            "s",
            "v",
            0,
            "it does not",
            False,
            "assert 1 == 2",
            "x.py:3",
            ["<Run a>"],
            ["for a reason"],
            *(instant.replace(tzinfo=None) for instant in instants),
        ),
        ("s", "v", 0, "it holds", True, "", "", [], [], None, None),
    ]
    assert query(path, "select * from variants order by variant") == [
        ("s", "good", 0, True, "", datetime(2026, 1, 2), None, None, *[""] * 4),  # noqa: DTZ001
        ("s", "v", 0, False, "", datetime(2026, 1, 2), 2.0, 1.25, *told.values()),  # noqa: DTZ001
    ]


def test_every_table_begins_with_the_key_and_tells_what_its_columns_mean(path):
    Results.open(path)

    for table, columns in TABLES.items():
        described = query(
            path,
            "select column_name, comment from duckdb_columns() "
            f"where table_name = '{table}' order by column_index",
        )
        assert described == [(name, meaning) for name, _, meaning in columns]
        assert tuple(name for name, _ in described[:3]) == KEY
        assert all(meaning for _, meaning in described)


def test_instants_are_utc_whatever_zone_they_come_in(path):
    tokyo = timezone(timedelta(hours=9))
    there = History([_run("f", T0.astimezone(tokyo), "Completed")])

    Results.open(path).add("s", "v", 0, there)

    assert query(path, "select distinct started_at = timestamp '2026-01-01' from flow_runs") == [
        (True,)
    ]


def test_runs_that_a_schedule_made_for_later_are_left_out(path):
    later = T0 + timedelta(days=3)
    run = _run("f", later, "Scheduled", auto_scheduled=True)
    waiting = RunRecord(**{name: getattr(run, name) for name in _fields()} | {"start": None})

    Results.open(path).add("s", "v", 0, History([waiting], now=T0))

    assert counts(path) | {"variants": 0} == dict.fromkeys(TABLES, 0)


def _fields() -> list[str]:
    return [name for name in RunRecord.__dataclass_fields__ if name != "links"]


def test_a_variant_that_broke_leaves_its_error(path):
    Results.open(path).add("s", "v", 0, None, error="ValueError: boom")

    assert query(path, "select passed, error, until from variants") == [
        (False, "ValueError: boom", None)
    ]


def test_variants_are_read_in_the_order_that_they_are_put_in(path):
    results = Results.open(path)
    for variant in ("second", "first", "of before"):
        results.add("s", variant, 0, None, error="broke")
    results.put_in_order([("s", "first"), ("s", "second"), ("s", "never ran")])
    assert [one.key[1] for one in kept_outcomes(path)] == ["of before", "first", "second"]
    assert [one.error for one in kept_outcomes(path)] == ["broke"] * 3


def test_adding_a_simulation_again_replaces_it_and_nothing_else(path):
    results = Results.open(path)
    for variant, seed in (("v", 0), ("v", 1), ("w", 0)):
        results.add("s", variant, seed, history(2), default_measures(history()))
    before = counts(path)

    Results.open(path).add("s", "v", 0, history(1), default_measures(history()))

    after = counts(path)
    assert (after["flow_runs"], before["flow_runs"]) == (10, 12)
    assert (after["variants"], after["measures"]) == (3, before["measures"])


def test_thousands_of_rows_of_a_table_are_added_by_one_statement(path, monkeypatch):
    statements = []
    insert = module._insert

    class Recording:
        def __init__(self, connection):
            self._connection = connection

        def execute(self, statement, values):
            statements.append(statement)
            return self._connection.execute(statement, values)

    monkeypatch.setattr(
        module,
        "_insert",
        lambda connection, table, rows: insert(Recording(connection), table, rows),
    )
    Results.open(path).add("s", "v", 0, history(1000))

    assert counts(path)["states"] == 4000
    assert 0 < len(statements) <= len(TABLES)


# --- all or nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_what_is_interrupted_leaves_the_variants_before_it(path, monkeypatch, interruption):
    results = Results.open(path)
    results.add("s", "first", 0, history(), default_measures(history()))
    before = counts(path)
    insert = module._insert

    def interrupted(connection, table, rows):
        if table == "measures":
            raise interruption
        insert(connection, table, rows)

    monkeypatch.setattr(module, "_insert", interrupted)
    with pytest.raises(interruption):
        results.add("s", "first", 0, history(5), default_measures(history()))
    with pytest.raises(interruption):
        results.add("s", "second", 0, history(5), default_measures(history()))
    monkeypatch.undo()

    assert counts(path) == before
    results.add("s", "second", 0, history())
    assert counts(path)["variants"] == 2


def test_a_process_that_is_killed_while_it_writes_leaves_whole_variants(tmp_path):
    script = """
import os, sys, time
from pathlib import Path
from simulator.history import History, results
path = Path(sys.argv[1])
file = results.Results.open(path)
file.add("s", "whole", 0, None, error="x")
insert = results._insert
def hang(connection, table, rows):
    insert(connection, table, rows)
    if table == "variants":
        print("writing", flush=True)
        time.sleep(60)
results._insert = hang
file.add("s", "half", 0, None, error="y")
"""
    path = tmp_path / "results.duckdb"
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)

    assert query(path, "select variant from variants") == [("whole",)]


def test_no_lock_is_held_between_two_calls(path):
    results = Results.open(path)
    results.add("s", "v", 0, history())

    read_and_write = """
import sys, duckdb
with duckdb.connect(sys.argv[1]) as connection:
    print(connection.execute("select count(*) from flow_runs").fetchone()[0])
"""
    seen = subprocess.run(
        [sys.executable, "-c", read_and_write, str(path)], capture_output=True, text=True
    )

    assert (seen.stdout, seen.stderr) == ("2\n", "")
    assert not path.with_name("results.duckdb.wal").exists()
    results.add("s", "w", 0, history())


# --- merging -----------------------------------------------------------------------------------


def test_parts_are_merged_and_merging_again_changes_nothing(tmp_path):
    parts = [tmp_path / "it's one.duckdb", tmp_path / "two.duckdb"]
    for part, scenario in zip(parts, ("a", "b"), strict=True):
        Results.open(part).add(
            scenario, "v", 0, history(2), default_measures(history()), [Judged("x", True)]
        )
    into = tmp_path / "out" / "results.duckdb"

    merge(parts, into)
    once = counts(into)
    merge(parts, into)

    assert counts(into) == once
    assert once == {table: 2 * count for table, count in counts(parts[0]).items()}
    assert once["flow_runs"] == 8
    assert query(into, "select distinct scenario from states order by 1") == [("a",), ("b",)]


def test_merging_replaces_the_same_simulation_and_keeps_others(tmp_path):
    into, part = tmp_path / "into.duckdb", tmp_path / "part.duckdb"
    for variant in ("v", "w"):
        Results.open(into).add("s", variant, 0, history(3), default_measures(history()))
    Results.open(part).add("s", "v", 0, history(1), error="it broke this time")

    merge([part], into)

    assert query(into, "select variant, count(*) from flow_runs group by all order by 1") == [
        ("v", 2),
        ("w", 6),
    ]
    assert query(into, "select distinct variant from measures") == [("w",)]
    assert query(into, "select variant, error from variants order by 1") == [
        ("v", "it broke this time"),
        ("w", ""),
    ]


def test_a_missing_or_broken_part_does_not_lose_the_others(tmp_path):
    whole, broken, missing = (tmp_path / f"{n}.duckdb" for n in ("whole", "broken", "missing"))
    Results.open(whole).add("s", "v", 0, history())
    broken.write_bytes(b"half a file " * 1000)
    into = tmp_path / "results.duckdb"

    with pytest.raises(SimulationError, match=r"cannot use the results file '.*broken\.duckdb'"):
        merge([missing, broken, whole], into)

    assert counts(into)["variants"] == 1
    merge([missing, whole], into)
    assert not missing.exists()


def test_a_part_whose_writer_died_before_the_checkpoint_is_merged(tmp_path):
    """What was committed may still stand in the write-ahead log."""
    part, into = tmp_path / "part.duckdb", tmp_path / "results.duckdb"
    Results.open(part)
    script = f"""
import duckdb, os
connection = duckdb.connect({str(part)!r})
connection.execute("pragma disable_checkpoint_on_shutdown")
connection.execute("insert into variants (scenario, variant, seed) values ('s', 'v', 0)")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert part.with_name("part.duckdb.wal").exists()

    merge([part], into)

    assert counts(into)["variants"] == 1


# --- what can go wrong -------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SimulationError, match=r"^cannot make the folder '.*file/out' for results"):
        Results.open(tmp_path / "file" / "out" / "results.duckdb")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_to_is_one_clear_error(tmp_path):
    tmp_path.chmod(0o500)

    with pytest.raises(SimulationError, match=r"^cannot use the results file .*ermission denied"):
        Results.open(tmp_path / "results.duckdb")


def test_a_file_that_another_process_has_locked_is_one_clear_error(tmp_path):
    path = tmp_path / "results.duckdb"
    results = Results.open(path)
    script = f"""
import duckdb
connection = duckdb.connect({str(path)!r})
print("locked", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        expected = (
            rf"^results file '.*results\.duckdb' is locked by another process "
            rf"\(PID {other.pid}\); close it there, or write elsewhere$"
        )
        with pytest.raises(SimulationError, match=expected):
            results.add("s", "v", 0, history())
        with pytest.raises(SimulationError, match=expected):
            Results.open(path)
        other.communicate(b"\n")

    results.add("s", "v", 0, history())


def test_a_file_that_is_no_duckdb_file_is_one_clear_error_and_stays_as_it_is(path):
    path.write_text("somebody's diary")

    with pytest.raises(SimulationError, match=r"^cannot use the results file '.*'") as caught:
        Results.open(path)

    assert "\n" not in str(caught.value)
    assert path.read_text() == "somebody's diary"


def test_a_database_with_other_tables_is_one_clear_error_and_stays_as_it_is(path):
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table states (name varchar, capital varchar)")

    with pytest.raises(SimulationError, match=r"table 'states' has the columns name, capital$"):
        Results.open(path)

    assert query(path, "select table_name from duckdb_tables()") == [("states",)]
