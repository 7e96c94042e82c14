"""Measures of time and load: waiting, latency, work for nothing, concurrency, run-seconds.

All instants are virtual and rounded down to the millisecond, so a step that takes no virtual time
starts and ends in one instant.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from simulator.history.history import History
from simulator.history.measures.figures import Measure, mean, share
from simulator.history.measures.outcomes import is_in_process
from simulator.history.records import RunRecord

Span = tuple[datetime, datetime]


def waiting(history: History, flow: str | None = None) -> Measure:
    """Mean time from scheduled to started, in seconds, with the shortest and the longest.

    It holds the worker's polls, the limits of pools, queues and deployments, and missed starts.
    n: deployment runs (of that flow) that have started. What is called in-process never waits.
    """
    return mean(
        "waiting",
        [
            (run.start - run.scheduled).total_seconds()
            for run in history.runs(flow)
            if run.deployment is not None and run.start is not None and run.scheduled is not None
        ],
    )


def slot_waiting(history: History, flow: str | None = None) -> Measure:
    """Mean time in AwaitingConcurrencySlot, in seconds, with the shortest and the longest.

    That part of `waiting` which a deployment's own concurrency limit accounts for: from each such
    state to the next state. n: deployment runs (of that flow) that have started, whether or not
    they had to wait.
    """
    return mean(
        "slot waiting",
        [
            sum(
                (after.timestamp - before.timestamp).total_seconds()
                for before, after in pairwise(run.states)
                if before.name == "AwaitingConcurrencySlot"
            )
            for run in history.runs(flow)
            if run.deployment is not None and run.start is not None
        ],
    )


def end_to_end_latency(history: History, upstream: str, downstream: str) -> Measure:
    """Mean time from a cycle's scheduled time until its downstream has ended, in seconds.

    A cycle is a run of the flow `upstream`. Its downstream is the first Completed run of the flow
    `downstream` among its descendants; else, if the cycle itself Completed, the first Completed
    downstream run that started at or after its end, whoever called it: only then can it have seen
    the cycle's data. The same name twice gives the cycle's own scheduled-to-end time. n: cycles
    that have such a downstream; low and high are the shortest and the longest.
    """
    builds = _Completed(history, downstream)
    seconds = []
    for cycle in history.runs(upstream):
        if upstream == downstream:
            end = cycle.end if cycle.completed else None
        else:
            end = builds.end_for(cycle)
        if end is not None and cycle.scheduled is not None:
            seconds.append((end - cycle.scheduled).total_seconds())
    return mean("end-to-end latency", seconds)


def wasted_runs(history: History, upstream: str, downstream: str) -> Measure:
    """Share of Completed runs of the two flows that changed nothing or that nobody read.

    A downstream run changed nothing if no upstream run has delivered since the downstream run
    before it started. An upstream run was read by nobody if the next upstream run delivered before
    any downstream run started. A run delivers when it ends or, if sooner, when its own descendant
    of the flow `downstream` starts. n: Completed runs of both flows, without the last delivery if
    nobody has read it yet. `freshness.wasted_builds` asks the tables instead.
    """
    reads = sorted(run.start for run in history.runs(downstream) if run.completed and run.start)
    deliveries = sorted(
        delivered
        for run in history.runs(upstream)
        if run.completed and (delivered := _delivered(run, downstream)) is not None
    )
    # A read in the very instant of a delivery has seen it.
    before = [bisect_left(reads, delivery) for delivery in deliveries]
    unread = sum(earlier == later for earlier, later in pairwise(before))
    undecided = bool(before) and before[-1] == len(reads)
    seen = [0, *(bisect_right(deliveries, read) for read in reads)]
    idle = sum(earlier == later for earlier, later in pairwise(seen))
    return share("wasted runs", unread + idle, len(reads) + len(deliveries) - undecided)


def peak_concurrency(history: History, flow: str | None = None) -> Measure:
    """The largest number of runs (of that flow) in a Running state at one time.

    A parent that waits for its child is Running too. A run that starts in the instant in which
    another ends does not overlap with it; runs that take no time are taken one after the other,
    each together with the runs that called it. n: runs that have started; None if none has.
    """
    runs = {run.id: run for run in history.runs(flow) if run.start is not None}
    spans = {run_id: tuple(_running(run, history.now)) for run_id, run in runs.items()}
    change: dict[datetime, int] = defaultdict(int)
    ends: dict[datetime, int] = defaultdict(int)
    momentary: dict[datetime, list[RunRecord]] = defaultdict(list)
    for run_id, own in spans.items():
        for start, end in own:
            if start == end:
                momentary[start].append(runs[run_id])
            else:
                ends[end] += 1
                change[start] += 1
                change[end] -= 1
    running = peak = 0
    for instant in sorted({*change, *momentary}):
        throughout = running - ends[instant]
        for run in momentary[instant]:
            callers = sum(
                instant in span for caller in _callers(run) for span in spans.get(caller.id, ())
            )
            peak = max(peak, throughout + 1 + callers)
        running += change[instant]
        peak = max(peak, running)
    return Measure("peak concurrency", float(peak) if runs else None, "runs", n=len(runs))


def run_seconds(history: History, flow: str | None = None) -> Measure:
    """The sum of the time that runs (of that flow) spent in a Running state, in seconds.

    A run that has not ended counts up to the end of the history or, for a subflow, up to the end
    of the run in whose process it lived. Parents count while they wait for children. n: runs that
    have started; None if none has.
    """
    runs = [run for run in history.runs(flow) if run.start is not None]
    total = sum(
        (end - start).total_seconds() for run in runs for start, end in _running(run, history.now)
    )
    return Measure("run-seconds", float(total) if runs else None, "seconds", n=len(runs))


class _Completed:
    """The Completed runs of one flow, to be found by when they started."""

    def __init__(self, history: History, flow: str) -> None:
        self._flow = flow
        self._runs = [
            (run.start, run.end)
            for run in history.runs(flow)
            if run.completed and run.start is not None
        ]

    def end_for(self, cycle: RunRecord) -> datetime | None:
        """The end of the first run that has seen what a cycle delivered; None if there is none."""
        own = [run for run in cycle.descendants() if run.flow == self._flow and run.completed]
        if own:
            return own[0].end
        if not cycle.completed or cycle.end is None:
            return None
        first = bisect_left(self._runs, cycle.end, key=lambda run: run[0])
        return self._runs[first][1] if first < len(self._runs) else None


def _delivered(run: RunRecord, downstream: str) -> datetime | None:
    starts = [one.start for one in run.descendants() if one.flow == downstream and one.start]
    return min([*starts, run.end]) if run.end is not None else None


def _running(run: RunRecord, now: datetime) -> Iterator[Span]:
    """The spans of time that a run spent in states of type RUNNING."""
    for state, following in zip(run.states, (*run.states[1:], None), strict=True):
        if state.type == "RUNNING":
            until = following.timestamp if following is not None else _alive_until(run, now)
            yield state.timestamp, max(state.timestamp, until)


def _alive_until(run: RunRecord, now: datetime) -> datetime:
    """When the process of a run that is not final has ended: as its host did, or not yet."""
    host = run
    while is_in_process(host):
        assert host.parent is not None
        host = host.parent
        if host.end is not None:
            return host.end
    return now


def _callers(run: RunRecord) -> Iterator[RunRecord]:
    while run.parent is not None:
        run = run.parent
        yield run
