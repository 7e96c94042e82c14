"""How long it took to renew a table: from the beginning of a run until its newer rows were seen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from simulator.history import History, Note, RunRecord


def renewals(history: History, seen: Iterable[Note]) -> list[timedelta]:
    """How long each renewal of a table took, oldest first. `seen` is what was seen of its column.

    It counts from when the run began that wrote the table, or the nearest one above it that has a
    deployment, since that is what can be started. A renewal that no known run has written is left out.
    """
    seen = list(seen)
    writes = _writes(history, {note.text for note in seen})
    found: list[timedelta] = []
    newest: datetime | None = None
    for note in seen:
        if note.details["newest"] is None:
            continue
        now = datetime.fromisoformat(note.details["newest"])
        if newest is None or now > newest:
            newest = now
            run = _renewed_by(writes, note.at, history.now)
            if run is not None and run.start is not None:
                found.append(note.at - run.start)
    return found


def _writes(history: History, tables: set[str]) -> list[tuple[datetime, RunRecord]]:
    """When which run has written one of these tables."""
    runs = {run.id: run for run in history.runs()}
    return [
        (note.at, runs[note.run_id])
        for note in history.notes
        if note.kind == "write"
        and note.text in tables
        and note.details.get("status") == "success"
        and note.run_id in runs
    ]


def _renewed_by(
    writes: Iterable[tuple[datetime, RunRecord]], seen: datetime, now: datetime
) -> RunRecord | None:
    """What had to be started for what was seen of a table at that instant: of the runs at work then, the
    one whose note of a write is the nearest, since dbt's are taken when all of it is over.
    """
    near = [(abs(at - seen), run) for at, run in writes if _at_work(run, seen, now)]
    if not near:
        return None
    _, run = min(near, key=lambda one: one[0])
    while run.deployment is None and run.parent is not None:
        run = run.parent
    return run


def _at_work(run: RunRecord, at: datetime, now: datetime) -> bool:
    known = at.replace(microsecond=at.microsecond // 1000 * 1000)  # as instants of runs are
    return run.start is not None and run.start <= known <= (run.end or now)
