"""Tables that a run should have written, and has not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from simulator.history import History, Note, RunRecord, StateRecord
from simulator.project.findings import stale

START = datetime(2026, 1, 5, tzinfo=UTC)


def run_of(hour: int, state: str, deployment: str | None = "load/prod") -> RunRecord:
    at = START + timedelta(hours=hour)
    kind = state.upper()
    return RunRecord(
        id=uuid4(), name=f"run-{hour}", flow="load", deployment=deployment, state=state,
        state_type=kind, message=None, states=(StateRecord(state, kind, at),), scheduled=at,
        start=at, end=at, run_count=1,
    )  # fmt: skip


def written(
    number: int, run: RunRecord, table: str = "raw.orders", status: str = "success"
) -> Note:
    assert run.end is not None
    details = {"status": status, "read": [], "said": "no luck"}
    return Note(number, "write", run.end, table, "flows.py:3", run.id, details=details)


def found(runs: list[RunRecord], *notes: Note) -> list[tuple[str, str, int]]:
    history = History(runs, now=START + timedelta(days=1), notes=notes)
    return [(one.kind, one.sentence, one.times) for one in stale(history)]


def test_a_run_that_failed_left_its_table_as_it_was() -> None:
    runs = [run_of(0, "Completed"), run_of(6, "Failed"), run_of(12, "Completed")]
    sentence = "raw.orders grows 12h 00m old: 1 of 3 runs of load/prod leave it as it was"
    assert found(runs, written(0, runs[0]), written(1, runs[2])) == [("stale table", sentence, 1)]


def test_what_dbt_has_not_built_is_stale_though_its_run_is_completed() -> None:
    runs = [run_of(0, "Completed"), run_of(6, "Completed")]
    [(_, sentence, _)] = found(runs, written(0, runs[0]), written(1, runs[1], status="error"))
    assert sentence.endswith("leave it as it was, and load/prod is Completed all the same")


def test_a_table_that_not_every_good_run_writes_is_missed_by_none() -> None:
    """As of a deployment that has the name of the table for a parameter."""
    runs = [run_of(hour, "Completed") for hour in range(3)] + [run_of(3, "Failed")]
    notes = written(0, runs[0]), written(1, runs[1], "raw.prices"), written(2, runs[2])
    assert found(runs, *notes) == []


def test_a_flow_that_is_called_without_a_deployment_writes_too() -> None:
    runs = [run_of(0, "Completed", None), run_of(6, "Failed", None)]
    [(_, sentence, _)] = found(runs, written(0, runs[0]))
    assert "1 of 2 runs of load leave it" in sentence
