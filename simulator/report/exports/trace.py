"""A timeline as Chrome's trace events, which Perfetto (ui.perfetto.dev) and `about:tracing` open.

A process for each simulation, with what concerns none of its runs, and one for each of its
deployments and of its flows that were called without one. In these a track for each run with its work
and, apart from it, one with its waits; a track for each task; ends and what went wrong as marks.
Instants are virtual, in microseconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from simulator.history import History, Outcome, RunRecord

Event = dict[str, Any]
Track = tuple[int, int]
"""The numbers of a process and of a track in it: `pid` and `tid`."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def as_trace(outcomes: Sequence[Outcome]) -> str:
    """The histories of all simulations that have one, as JSON."""
    events: list[Event] = []
    processes = count(1)
    for outcome in outcomes:
        if outcome.history is not None:
            scenario, variant, seed = outcome.key
            name = f"{scenario} [{variant}], seed {seed}"
            events += _events(outcome.history, name, processes)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, separators=(",", ":"))


def _events(history: History, name: str, processes: Iterator[int]) -> Iterator[Event]:
    own = next(processes)
    yield _named("process_name", (own, 0), name)
    numbers: dict[str, int] = {}
    numbered = count(1)
    tracks: dict[UUID, Track] = {}
    for run in history.runs():
        of = run.deployment or run.flow
        if of not in numbers:
            numbers[of] = next(processes)
            yield _named("process_name", (numbers[of], 0), f"{name}: {of}")
        tracks[run.id] = (numbers[of], next(numbered))
        yield from _run(run, history.now, tracks[run.id], numbered)
    for note in history.notes:
        track = (own, 0) if note.run_id is None else tracks.get(note.run_id, (own, 0))
        said = {"where": note.where} | (
            {} if note.until is None else {"until": note.until.isoformat()}
        )
        yield _mark(note.text, note.kind, note.at, track, said)


def _run(run: RunRecord, now: datetime, track: Track, numbered: Iterator[int]) -> Iterator[Event]:
    """The work of a run on its track; its waits, and each of its tasks, on more of them."""
    process, _ = track
    of_run = {"run_id": str(run.id)}
    spans = list(stays(run, now))
    for waits in (False, True):
        own = [span for span in spans if span[3] is waits]
        if own or not waits:
            place = (process, next(numbered)) if waits else track
            yield _named("thread_name", place, run.name + ", waiting" * waits)
            for name, begin, end, _ in own:
                yield _span(name, "wait" if waits else "work", begin, end, place, of_run)
    if run.end is not None:
        said = {"message": run.message} if run.message else {}
        yield _mark(run.state, "state", run.end, track, of_run | said)
    for task in run.tasks:
        if task.start is not None:
            of_task = (process, next(numbered))
            yield _named("thread_name", of_task, f"{run.name}: {task.name}")
            yield _span(task.state, "task", task.start, task.end or now, of_task, of_run)


def stays(run: RunRecord, now: datetime) -> Iterator[tuple[str, datetime, datetime, bool]]:
    """Name, begin and end of each stay in a state, and whether it was a wait.

    What stands in a schedule does not wait before it is due. Computing takes no time, so that an attempt
    may end in the instant in which it began.
    """
    ends = [state.timestamp for state in run.states[1:]]
    for state, end in zip(run.states, [*ends, now], strict=False):
        begin = state.timestamp
        if state.name == "Scheduled" and run.scheduled is not None and begin < run.scheduled:
            begin = run.scheduled
            if end <= begin:
                continue
        if state.type not in FINAL:
            yield state.name, begin, end, state.type not in ("RUNNING", "CANCELLING")


def _span(name: str, kind: str, begin: datetime, end: datetime, track: Track, more: Event) -> Event:
    length = (end - begin) // timedelta(microseconds=1)
    return _event("X", track, name=name, cat=kind, ts=_since(begin), dur=length, args=more)


def _mark(name: str, kind: str, at: datetime, track: Track, more: Event) -> Event:
    return _event("i", track, s="t", name=name, cat=kind, ts=_since(at), args=more)


def _named(what: str, track: Track, name: str) -> Event:
    return _event("M", track, name=what, args={"name": name})


def _event(phase: str, track: Track, **fields: Any) -> Event:
    return {"ph": phase, "pid": track[0], "tid": track[1], **fields}


def _since(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)
