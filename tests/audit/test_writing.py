"""The tests that are written about cells: each fails with the fault, and passes without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from simulator.audit import Cell, Found, Project, as_test, judged
from simulator.history import History, Note, RunRecord
from tests.audit.histories import at, family, run, task

END = at(24 * 60)


def history(runs: Sequence[RunRecord], *notes: Note) -> History:
    return History(runs, now=END, notes=notes, deployments=["report/prod"])


def newest(number: int, minute: float) -> Note:
    details = {"newest": at(minute).isoformat()}
    return Note(number, "table", at(minute), "mart.orders", details=details)


def alone(minutes: float) -> list[RunRecord]:
    mother = run("nightly", "Completed", end=minutes)
    return [mother, run("load", start=1, end=9, parent=mother)]


def hanging() -> list[RunRecord]:
    mother = run("nightly", "Running", end=None)
    return [mother, run("load", "Running", 1, None, mother)]


other, failing = run("report", start=20, end=30), run("report", "Failed", start=20, end=30)
FAMILY = family()

CASES: dict[str, tuple[list[RunRecord], list[RunRecord]]] = {
    "masked": (FAMILY, family("Failed")),
    "zombie": (FAMILY, hanging()),
    "unnoticed": (FAMILY, FAMILY),
    "lost run": ([other, *FAMILY], FAMILY),
    "orphan": (FAMILY, alone(3)),
    "skipped clean-up": (
        family(tasks=(task("clean_up"),)),
        family("Failed", "Failed"),
    ),
    "stale table": (FAMILY, FAMILY),
    "others fail": ([other, *FAMILY], [failing, *FAMILY]),
    "doubled work": (
        family(tasks=(task("read"),)),
        family(tasks=(task("read"), task("read")), run_count=2),
    ),
    "at once": (
        [run("nightly", start=60, end=70), run("nightly")],
        [run("nightly", start=60, end=70), run("nightly", end=65)],
    ),
    "broken promise": (FAMILY, FAMILY),
}


def written(before: History, after: History, kind: str) -> str:
    """The file about a cell of this kind."""
    struck = before.runs("nightly")[0]
    broken = ["no two at once"] if kind == "broken promise" else ()
    outcomes = judged(before, after, struck.id, wrong_value=kind == "unnoticed", broken=broken)
    assert outcomes[0].kind == kind
    fault = {"kind": "raise", "step": "load", "on": [0], "between": None}
    found = Found(Cell("load/prod", "raises", fault, struck.id), outcomes)
    return as_test(found, before, after, Project(Path("shop"), 1, 0, "2026-01-05T00:00:00+00:00"))


def outcome_of(file: str, of: History, promise_kept: bool) -> None:
    """Call the test in a file for what a history says; it raises as the test does."""
    injected: list[Any] = []
    kept = SimpleNamespace(name="no two at once", kept=promise_kept)
    project = SimpleNamespace(
        inject=injected.append,
        advance=lambda days: None,
        now=of.now,
        runs=of.runs,
        history=lambda: of,
        explain=str,
        promises=lambda: [kept],
    )
    namespace: dict[str, Any] = {}
    exec(compile(file, "test_it.py", "exec"), namespace)
    namespace["test_load_prod_raises"](project)
    assert injected == [{"kind": "raise", "step": "load", "on": [0], "between": None}]


@pytest.mark.parametrize("kind", CASES)
def test_it_fails_with_the_fault_and_passes_without(kind: str) -> None:
    runs_before, runs_after = CASES[kind]
    strike = Note(0, "fault", at(1), "boom")
    tables = [newest(1, minute) for minute in ((60, 20) if kind == "stale table" else (60, 60))]
    before, after = history(runs_before, tables[0]), history(runs_after, strike, tables[1])
    file = written(before, after, kind)
    with pytest.raises(AssertionError):
        outcome_of(file, after, promise_kept=False)
    if kind != "unnoticed":  # there the run that is well is what is wrong
        outcome_of(file, before, promise_kept=True)


def test_a_task_that_fails_in_a_green_flow() -> None:
    before, after = (
        history(family(tasks=(task("read", state),), run_count=1), Note(0, "fault", at(1), "boom"))
        for state in ("Completed", "Failed")
    )
    file = written(before, after, "masked")
    with pytest.raises(AssertionError):
        outcome_of(file, after, promise_kept=True)
    outcome_of(file, before, promise_kept=True)


def test_uuids_are_not_in_it() -> None:
    before = history(FAMILY)
    after = history(family("Failed"), Note(0, "fault", at(1), "boom", run_id=uuid4()))
    assert all(str(one.id) not in written(before, after, "masked") for one in before.runs())
