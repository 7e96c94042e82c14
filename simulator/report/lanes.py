"""Lanes of runs on one time axis, in plain characters: what the page draws, for a terminal of any width.

A row has the runs of one flow; runs that would lie upon each other get rows of their own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from simulator.history import Attempts, History, RunRecord

LABEL = 20
"""Columns for the names of flows, at most."""

ROWS = 14
"""Rows of a lane, at most."""

KEY = {
    ".": "waits",
    "=": "runs",
    "x": "an attempt that failed",
    "C": "Completed",
    "!": "Completed although a run below it failed",
    "F": "Failed",
    "X": "Crashed",
    "-": "Cancelled",
    ">": "not over yet",
}
"""What a character means."""

_ENDS = {"COMPLETED": "C", "FAILED": "F", "CRASHED": "X", "CANCELLED": "-"}


def text_lanes(histories: Mapping[str, History], width: int) -> list[str]:
    """The runs of each history, all on the same axis, at most `width` columns wide."""
    runs = {name: list(_nested(history)) for name, history in histories.items()}
    everything = [(run, histories[name].now) for name, own in runs.items() for run, _ in own]
    if not everything:
        return ["nothing has run"]
    begin = min(_begin(run) for run, _ in everything)
    end = max(*(_end(run, now) for run, now in everything), begin + timedelta(seconds=1))
    labels = [_label(run, depth) for own in runs.values() for run, depth in own]
    left = min(max(map(len, labels)), LABEL) + 1
    axis = _Axis(begin, end, max(width - left, 10))
    lines = [f"from {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"]
    for name, history in histories.items():
        rows = list(_rows(runs[name], axis, history))
        lines += [name, *(f"{label[: left - 1]:<{left}}{bars}" for label, bars in rows[:ROWS])]
        if len(rows) > ROWS:
            lines.append(f"... and {len(rows) - ROWS} rows more")
    used = {sign for line in lines[1:] for sign in line[left:]}
    key = "; ".join(f"{sign} {text}" for sign, text in KEY.items() if sign in used)
    return [*lines, *textwrap.wrap(key, width)]


class _Axis:
    """Which column an instant falls into."""

    def __init__(self, begin: datetime, end: datetime, width: int) -> None:
        self._begin = begin
        self._length = end - begin
        self.width = width

    def column(self, at: datetime) -> int:
        share = (at - self._begin) / self._length
        return min(max(int(share * self.width), 0), self.width - 1)


def _nested(history: History) -> Iterator[tuple[RunRecord, int]]:
    """Every run with its depth below those that called it."""

    def below(runs: Iterable[RunRecord], depth: int) -> Iterator[tuple[RunRecord, int]]:
        for run in runs:
            yield run, depth
            yield from below(run.children, depth + 1)

    yield from below((run for run in history.runs() if run.parent is None), 0)


def _label(run: RunRecord, depth: int) -> str:
    return "  " * (depth + 1) + run.flow


def _begin(run: RunRecord) -> datetime:
    """When there is first something of a run to see: it is due, or begins."""
    known = [one for one in (run.scheduled, run.start) if one is not None]
    return min(known, default=run.states[0].timestamp)


def _end(run: RunRecord, now: datetime) -> datetime:
    return run.end or now


def _rows(
    runs: Iterable[tuple[RunRecord, int]], axis: _Axis, history: History
) -> Iterator[tuple[str, str]]:
    """The rows of one lane: their labels, and the bars in them."""
    packed: dict[str, list[list[str]]] = {}
    attempts, now = Attempts(history), history.now
    for run, depth in runs:
        begin, end = axis.column(_begin(run)), axis.column(_end(run, now))
        rows = packed.setdefault(_label(run, depth), [])
        room = slice(begin, end + 1)
        row = next((one for one in rows if not "".join(one[room]).strip()), None)
        if row is None:
            row = [" "] * axis.width
            rows.append(row)
        row[room] = _bar(run, axis, now)
        if attempts.masks(run):
            row[end] = "!"
    for label, rows in packed.items():
        for row in rows:
            yield label, "".join(row).rstrip()


def _bar(run: RunRecord, axis: _Axis, now: datetime) -> list[str]:
    """A character for each column between the beginning and the end of a run."""
    first = axis.column(_begin(run))
    bar = ["."] * (axis.column(_end(run, now)) - first + 1)
    for i, state in enumerate(run.states):
        if state.type not in ("RUNNING", "CANCELLING"):
            continue
        after = run.states[i + 1] if i + 1 < len(run.states) else None
        until = after.timestamp if after else now
        failed = after is not None and after.name in ("AwaitingRetry", "Retrying")
        begin, end = axis.column(state.timestamp) - first, axis.column(until) - first
        for column in range(begin, end + 1):
            bar[column] = "x" if failed else "="
    bar[-1] = _ENDS.get(run.state_type, ">")
    return bar
