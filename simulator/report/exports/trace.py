"""A timeline as Chrome's trace events, which Perfetto (ui.perfetto.dev) and `about:tracing` open.

A process for each simulation. In it a track for each run with its work and, apart from it, one with its
waits; a track for each task; what went wrong as marks. Instants are virtual, in microseconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from simulator.history import History, Outcome, RunRecord

Event = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_trace(outcomes: Sequence[Outcome]) -> str:
    """The histories of all simulations that have one, as JSON."""
    events: list[Event] = []
    for number, outcome in enumerate(outcomes, 1):
        if outcome.history is not None:
            scenario, variant, seed = outcome.key
            name = f"{scenario} [{variant}], seed {seed}"
            events.append(_named("process_name", number, 0, name))
            events += _events(outcome.history, number)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, separators=(",", ":"))


def _events(history: History, process: int) -> Iterator[Event]:
    track = 0
    tracks: dict[UUID, int] = {}
    for run in history.runs():
        of_run = f"{run.deployment or run.flow} {run.name}"
        spans = list(_spans(run, history.now))
        for waits in (False, True):
            own = [span for span in spans if span[3] is waits]
            if own or not waits:
                track += 1
                yield _named("thread_name", process, track, of_run + (", waiting" * waits))
                tracks.setdefault(run.id, track)
                for name, begin, end, _ in own:
                    kind = "wait" if waits else "work"
                    yield _span(name, kind, begin, end, process, track, {"run_id": str(run.id)})
        if run.end is not None:
            said = {"message": run.message} if run.message else {}
            yield _mark(run.state, "state", run.end, process, tracks[run.id], said)
        for task in run.tasks:
            if task.start is not None:
                track += 1
                yield _named("thread_name", process, track, f"{of_run}: {task.name}")
                end = task.end or history.now
                yield _span(task.state, "task", task.start, end, process, track, {})
    for note in history.notes:
        place = 0 if note.run_id is None else tracks.get(note.run_id, 0)
        yield _mark(note.text, note.kind, note.at, process, place, {"where": note.where})


def _spans(run: RunRecord, now: datetime) -> Iterator[tuple[str, datetime, datetime, bool]]:
    """Name, begin and end of each stay in a state, and whether it was a wait.

    What stands in a schedule does not wait before it is due.
    """
    ends = [state.timestamp for state in run.states[1:]]
    for state, end in zip(run.states, [*ends, now], strict=False):
        if state.type in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            continue
        begin = state.timestamp
        if state.name == "Scheduled" and run.scheduled is not None:
            begin = max(begin, run.scheduled)
        if begin < end:
            yield state.name, begin, end, state.type not in ("RUNNING", "CANCELLING")


def _span(
    name: str, kind: str, begin: datetime, end: datetime, process: int, track: int, more: Event
) -> Event:
    length = (end - begin) // timedelta(microseconds=1)
    return {
        "ph": "X",
        "name": name,
        "cat": kind,
        "ts": _since(begin),
        "dur": length,
        "pid": process,
        "tid": track,
        "args": more,
    }


def _mark(name: str, kind: str, at: datetime, process: int, track: int, more: Event) -> Event:
    return {
        "ph": "i",
        "s": "t",
        "name": name,
        "cat": kind,
        "ts": _since(at),
        "pid": process,
        "tid": track,
        "args": more,
    }


def _named(what: str, process: int, track: int, name: str) -> Event:
    return {"ph": "M", "name": what, "pid": process, "tid": track, "args": {"name": name}}


def _since(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)
