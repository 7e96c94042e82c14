"""Histories made by hand, of a nightly flow and what it calls."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from simulator.history import RunRecord, StateRecord, TaskRecord

T0 = datetime(2026, 1, 5, 3, tzinfo=UTC)
TYPES = {
    "Running": "RUNNING",
    "Pending": "PENDING",
    "Completed": "COMPLETED",
    "Failed": "FAILED",
    "Crashed": "CRASHED",
}


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def task(
    name: str, state: str = "Completed", end: float | None = 5, attempts: int = 1
) -> TaskRecord:
    ended = None if end is None else at(end)
    given = (uuid4(), name, name, name, state, TYPES[state], None, (), T0, T0, ended)
    return TaskRecord(*given, run_count=attempts)


def run(
    flow: str,
    state: str = "Completed",
    start: float = 0,
    end: float | None = 10,
    parent: RunRecord | None = None,
    **given: Any,
) -> RunRecord:
    ended = None if end is None else at(end)
    states = (StateRecord(state, TYPES[state], ended or at(start)),)
    return RunRecord(
        uuid4(), flow, flow, f"{flow}/prod", state, TYPES[state], None, states, at(start), at(start),
        ended, parent_id=parent and parent.id, auto_scheduled=parent is None, **given,
    )  # fmt: skip


def family(child: str = "Completed", parent: str = "Completed", **given: Any) -> list[RunRecord]:
    mother = run("nightly", parent)
    return [mother, run("load", child, 1, 9, mother, **given)]


def changed(one: RunRecord, **given: Any) -> RunRecord:
    """The same run, of which something else is known."""
    return RunRecord(**{field.name: getattr(one, field.name) for field in fields(one)} | given)
