"""Why a table is old, from recorded histories; and once from a real simulation, by its results file."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from prefect import flow
from prefect.deployments import run_deployment

from simulator import Simulation, SimulationError
from simulator.faults import Raise, WorkerAway
from simulator.history import History, Note, Results, RunRecord, StateRecord, explain_table

T0 = datetime(2026, 1, 1, 3, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Days:
    """A history in the making: a run of "nightly" a day, which calls "load" and then "transform"."""

    def __init__(self) -> None:
        self.runs: list[RunRecord] = []
        self.notes: list[Note] = []

    def run(
        self,
        flow: str,
        day: int,
        state: str = "Completed",
        parent: RunRecord | None = None,
        message: str | None = None,
    ) -> RunRecord:
        at = T0 + day * DAY
        kind = {"Late": "SCHEDULED"}.get(state, state.upper())
        started = None if state == "Late" else at
        ended = at + MINUTE if kind in ("COMPLETED", "FAILED") else None
        states = (StateRecord("Running", "RUNNING", at),) * bool(started)
        run = RunRecord(
            id=UUID(int=len(self.runs) + 1),
            name=f"run-{len(self.runs)}",
            flow=flow,
            deployment=f"{flow}/dev",
            state=state,
            state_type=kind,
            message=message,
            states=(*states, StateRecord(state, kind, ended or at)),
            scheduled=at,
            start=started,
            end=ended,
            run_count=1,
            parent_id=None if parent is None else parent.id,
        )
        self.runs.append(run)
        return run

    def wrote(self, run: RunRecord | None, table: str, *read: str, day: int = 0) -> None:
        at = (T0 + day * DAY if run is None else run.start) + MINUTE
        details = {"status": "success", "read": list(read)}
        run_id = None if run is None else run.id
        number = len(self.notes)
        self.notes.append(Note(number, "write", at, table, "jobs.py:7", run_id, details=details))

    def tried(self, run: RunRecord, table: str, status: str, said: str) -> None:
        details = {"status": status, "said": said}
        self.notes.append(
            Note(len(self.notes), "write", run.start, table, "dbt.py:3", run.id, details=details)
        )

    def why(self, table: str, until: int = 9) -> list[str]:
        history = History(self.runs, now=T0 + until * DAY, notes=self.notes)
        return str(explain_table(history, table)).splitlines()


@pytest.fixture
def days() -> Days:
    return Days()


def test_a_table_that_is_as_new_as_can_be(days: Days) -> None:
    for day in range(2):
        days.wrote(days.run("load", day), "raw.orders")
    assert days.why("raw.orders") == [
        "raw.orders: last written by load/dev of 2026-01-02 03:00 (jobs.py:7, 2026-01-02T03:01:00Z)",
        "  no later run was to write it",
    ]


def test_upper_and_lower_case_are_one_table(days: Days) -> None:
    days.wrote(days.run("load", 0), "raw.Orders")
    days.wrote(days.run("transform", 0), "marts.orders", "RAW.orders")
    days.wrote(days.run("load", 1), "raw.orders", day=1)
    assert days.why("Raw.ORDERS")[0].startswith(
        "raw.Orders: last written by load/dev of 2026-01-02 03:00"
    )
    assert "  made from raw.Orders: last written by load/dev" in str(days.why("marts.orders"))


def test_each_later_run_that_did_not_is_told_newest_first(days: Days) -> None:
    days.wrote(days.run("load", 0), "raw.orders")
    days.run("load", 1, "Failed", message="no disk")
    days.run("load", 2, "Late")
    days.run("other", 2, "Failed", message="of no matter")
    _, *missed = days.why("raw.orders")
    assert missed == [
        (
            "  not by load/dev of 2026-01-03 03:00: Late, and never started;"
            " because its deployment has no work pool"
        ),
        "  not by load/dev of 2026-01-02 03:00: Failed: no disk (2026-01-02T03:01:00Z)",
    ]


def test_a_run_that_came_before_the_last_writing_is_forgiven(days: Days) -> None:
    days.run("load", 0, "Failed", message="no disk")
    days.wrote(days.run("load", 1), "raw.orders")
    assert days.why("raw.orders")[1:] == ["  no later run was to write it"]


def test_a_caller_that_never_came_to_call_is_a_miss(days: Days) -> None:
    first = days.run("nightly", 0)
    days.wrote(days.run("load", 0, parent=first), "raw.orders")
    days.run("nightly", 1, "Failed", message="before it called")
    second = days.run("nightly", 2, "Failed", message="by its child")
    days.run("load", 2, "Failed", second, "no disk")
    _, *missed = days.why("raw.orders")
    assert missed == [  # of the second one the child alone: it is nearer to the table
        "  not by load/dev of 2026-01-03 03:00: Failed: no disk (2026-01-03T03:01:00Z)",
        "  not by nightly/dev of 2026-01-02 03:00: Failed: before it called (2026-01-02T03:01:00Z)",
    ]


def test_completed_runs_that_wrote_nothing_are_counted(days: Days) -> None:
    days.wrote(days.run("load", 0), "raw.orders")
    for day in range(1, 4):
        days.run("load", day)
    assert days.why("raw.orders")[1:] == [
        "  not by load/dev of 2026-01-04 03:00 and 2 more: Completed, and wrote nothing to it"
    ]


def test_what_it_was_made_from_is_explained_too(days: Days) -> None:
    days.wrote(days.run("load", 0), "raw.orders")
    days.run("load", 1, "Failed", message="no disk")
    for day in range(2):
        days.wrote(days.run("transform", day), "marts.orders", "raw.orders", "raw.never_heard_of")
    assert days.why("marts.orders") == [
        (
            "marts.orders: last written by transform/dev of 2026-01-02 03:00"
            " (jobs.py:7, 2026-01-02T03:01:00Z)"
        ),
        "  no later run was to write it",
        (
            "  made from raw.orders: last written by load/dev of 2026-01-01 03:00"
            " (jobs.py:7, 2026-01-01T03:01:00Z)"
        ),
        "    not by load/dev of 2026-01-02 03:00: Failed: no disk (2026-01-02T03:01:00Z)",
    ]


def test_tables_that_are_made_from_each_other_have_an_end(days: Days) -> None:
    days.wrote(days.run("load", 0), "raw.a", "raw.b")
    days.wrote(days.run("load", 1), "raw.b", "raw.a")
    assert [line.strip()[:17] for line in days.why("raw.a")][-2:] == [
        "made from raw.b: ",
        "no later run was ",
    ]


def test_what_dbt_skipped_though_the_run_is_completed(days: Days) -> None:
    days.wrote(days.run("transform", 0), "marts.orders")
    days.tried(days.run("transform", 1), "marts.orders", "skipped", "stg_orders failed: no column")
    assert days.why("marts.orders")[1:] == [
        (
            "  not by transform/dev of 2026-01-02 03:00: Completed, although dbt skipped it:"
            " stg_orders failed: no column (dbt.py:3, 2026-01-02T03:00:00Z)"
        ),
    ]


def test_a_table_that_was_never_written_and_one_that_nobody_wrote(days: Days) -> None:
    days.tried(days.run("transform", 0), "marts.orders", "error", "no such function")
    days.wrote(None, "main.seeds", day=1)
    assert days.why("marts.orders") == [
        "marts.orders: never written",
        (
            "  not by transform/dev of 2026-01-01 03:00: Completed, although dbt could not build it:"
            " no such function (dbt.py:3, 2026-01-01T03:00:00Z)"
        ),
    ]
    assert days.why("seeds")[0] == (
        "main.seeds: last written outside of all runs (jobs.py:7, 2026-01-02T03:01:00Z)"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "marts.order",
            "no table written by a DuckDB connection or by dbt, named 'marts.order': did you mean 'marts.orders'?",
        ),
        ("zzz", "no table written by a DuckDB connection or by dbt, named 'main.zzz'"),
    ],
)
def test_an_unknown_table_is_one_line(days: Days, asked: str, said: str) -> None:
    days.wrote(days.run("transform", 0), "marts.orders")
    with pytest.raises(SimulationError) as refused:
        days.why(asked)
    assert str(refused.value) == said


# -- for real --------------------------------------------------------------------------------------


@flow
def load():
    with duckdb.connect(os.environ["WAREHOUSE_PATH"]) as con:
        con.execute("create or replace table raw_orders as select now() as loaded_at")


@flow
def transform():
    with duckdb.connect(os.environ["WAREHOUSE_PATH"]) as con:
        con.execute("create or replace table orders as from raw_orders")


@flow
def nightly():
    run_deployment("load/dev")  # nobody looks at how it ended
    run_deployment("transform/dev")


def test_from_the_results_file_alone_it_goes_back_to_the_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from simulator.cli import call

    with Simulation(start=T0 - MINUTE) as sim:
        sim.setenv(WAREHOUSE_PATH=str(sim.warehouse.path))
        for one in (load, transform):
            sim.deploy(one, name="dev")
        sim.deploy(nightly, name="dev", cron="0 3 * * *")
        sim.inject(Raise(step="load", on=[1]))
        sim.inject(WorkerAway(between=(T0 + 1.9 * DAY, T0 + 4 * DAY)))
        sim.advance_to(T0 + 2.5 * DAY)
        told = str(sim.explain(table="main.orders"))
        with pytest.raises(SimulationError, match="explain takes one of them"):
            sim.explain("load", table="main.orders")
        Results.open(tmp_path / "r.duckdb").add("tables", "default", 0, sim.history())
    first, missed, worker, away, made, raw_missed, *others = told.splitlines()
    assert first.startswith("main.orders: last written by transform/dev of 2026-01-02 03:00 (")
    assert missed.startswith("  not by nightly/dev of 2026-01-03 03:00: Late, and never started")
    assert "the worker of work pool" in worker
    assert "fault 1" in away
    assert made.startswith(
        "  made from main.raw_orders: last written by load/dev of 2026-01-01 03:00"
    )
    assert raw_missed.startswith("    not by nightly/dev of 2026-01-03 03:00: Late")
    assert others[-1].startswith("    not by load/dev of 2026-01-02 03:00: Failed: it raised")
    assert "fault 0" in others[-1]
    file = ["--results", str(tmp_path / "r.duckdb")]
    assert call(["explain", "--table", "main.orders", *file]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "tables [default], seed 0"
    assert [line.removeprefix("  ") for line in lines] == told.splitlines()
    assert call(["explain", "--table", "orders", "--json", *file]) == 0
    (kept,) = json.loads(capsys.readouterr().out)
    assert [one["table"] for one in kept["read"]] == ["main.raw_orders"]
    assert kept["read"][0]["missed"][-1]["reasons"][-1]["fault"] == 0
    for wrong, said in (
        (["--table", "main.order"], "did you mean 'main.orders'?"),
        (["load", "--table", "main.orders"], "give either a RUN or --table"),
        ([], "give either a RUN or --table"),
    ):
        assert call(["explain", *wrong, *file]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
