"""What the tables of a project show about its design: those that grow older than their cadence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from simulator.history import History, Note, RunRecord, called, explain
from simulator.project.findings.finding import Finding
from simulator.project.findings.observed import named
from simulator.report import duration


def stale(history: History) -> Iterator[Finding]:
    """Tables that each run of a deployment writes if all goes well, where one did not: it, or one that
    it called, failed, or dbt did not build them.
    """
    root_of = {run.id: _root(run) for run in history.runs()}
    roots = [run for run in history.runs() if run.parent is None and run.final and run.start]
    written: dict[str, list[tuple[datetime, RunRecord]]] = defaultdict(list)
    tried: dict[tuple[str, UUID], Note] = {}
    for note in history.notes:
        if note.kind == "write" and note.run_id in root_of:
            root = root_of[note.run_id]
            if note.details.get("status") == "success":
                written[note.text].append((note.at, root))
            else:
                tried[note.text, root.id] = note
    for table, writes in written.items():
        done = {root.id for _, root in writes}
        for deployment in dict.fromkeys(named(root) for _, root in writes):
            runs = [run for run in roots if named(run) == deployment]
            without = [run for run in runs if run.id not in done]
            missed = [run for run in without if (table, run.id) in tried or _went_wrong(run)]
            if missed == without and missed:
                yield _finding(history, table, [at for at, _ in writes], runs, missed, tried)


def _finding(
    history: History,
    table: str,
    writes: list[datetime],
    runs: list[RunRecord],
    missed: list[RunRecord],
    tried: dict[tuple[str, UUID], Note],
) -> Finding:
    name = named(missed[0])
    first = next((run for run in missed if run.completed), missed[0])
    age = max(_age_after(run, writes, history.now) for run in missed)
    note = tried.get((table, first.id))
    unseen = f", and {name} is Completed all the same" if first.completed else ""
    return Finding(
        "stale table",
        name,
        f"{table} grows {duration(age.total_seconds())} old: {len(missed)} of {len(runs)} runs of"
        f" {name} leave it as it was{unseen}",
        len(missed),
        where=note.where if note is not None else "",
        run_id=first.id,
        run=called(first),
        explanation=(
            str(explain(history, first))
            if note is None
            else f"dbt: {note.details['status']}: {note.details.get('said', '')}"
        ),
    )


def _age_after(run: RunRecord, writes: list[datetime], now: datetime) -> timedelta:
    """How old a table is when it is written again after a run that has not, or else now."""
    assert run.start is not None
    before = max((at for at in writes if at <= run.start), default=run.start)
    return min((at for at in writes if at > run.start), default=now) - before


def _went_wrong(run: RunRecord) -> bool:
    return run.failed or any(called.failed for called in run.descendants())


def _root(run: RunRecord) -> RunRecord:
    while run.parent is not None:
        run = run.parent
    return run
