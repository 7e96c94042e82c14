"""Why a run started late, or not at all: nobody took it, or what it had to pass was closed or full."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import accumulate

from simulator.history.explaining.evidence import Evidence, fault, worker_of
from simulator.history.explaining.explanation import Reason, title
from simulator.history.records import RunRecord, StateRecord, moment
from simulator.workers import first_of

LATE = timedelta(seconds=30)
"""Longer than a worker may need to find a run."""

TAKING = ("PENDING", "RUNNING", "CANCELLING")
"""The types of states in which a run takes a slot."""

Follow = Callable[[RunRecord], list[Reason]]


class Delays:
    """Explains runs that have waited, or wait."""

    def __init__(self, evidence: Evidence, follow: Follow) -> None:
        self._evidence = evidence
        self._follow = follow
        self._taken_of: dict[str, dict[object, Spans]] = {}

    def late(self, run: RunRecord) -> bool:
        """Whether it waited for longer than it takes to be found."""
        began = run.start or self._evidence.history.now
        return run.scheduled is not None and began - run.scheduled > LATE

    def reasons(self, run: RunRecord) -> list[Reason]:
        """Why it started when it did, or why it has not."""
        until = run.start or run.end or self._evidence.history.now
        since = run.scheduled or until
        here = Reason(self._said(run, since), run.start, "", run.id)
        if run.state_type == "SCHEDULED" and until <= since:
            return [Reason(f"{run.state}: it is not due before {moment(since)}", None, "", run.id)]
        return [here, *self._held(run, since, until)]

    def lateness(self, run: RunRecord) -> list[Reason]:
        """Why it started late, told beside how it ended; nothing if it did not, or has not started."""
        if run.start is None or run.scheduled is None or not self.late(run):
            return []
        said = self._started_late(run.start, run.scheduled)
        held = self._held(run, run.scheduled, run.start)
        return [Reason(said, run.start, "", run.id), *held]

    def kept_from(self, run: RunRecord) -> tuple[str, RunRecord] | None:
        """What the run waited for a slot of, and the run that had it; None if that was not why."""
        _, *why = self.reasons(run)
        if not why or not why[0].gate or why[0].run_id is None:
            return None
        return why[0].gate, self._evidence.runs[why[0].run_id]

    def _said(self, run: RunRecord, since: datetime) -> str:
        if run.start is None:
            return f"{run.state}, and never started"
        return f"{run.state}, {self._started_late(run.start, since)}"

    def _started_late(self, start: datetime, since: datetime) -> str:
        return f"started {str(start - since).partition('.')[0]} late"

    def _held(self, run: RunRecord, since: datetime, until: datetime) -> list[Reason]:
        taken = [state for state in run.states if state.type == "PENDING"]
        struck = self._evidence.of(run, "fault")
        if struck and run.start is None:
            return [fault(struck[-1])]
        if taken and run.start is None and run.state_type == "PENDING":
            said = "a worker took it, and its process never began"
            return [Reason(said, taken[-1].timestamp, "", run.id)]
        for reasons in (
            self._deployment(run, since, until),
            self._paused(run, since, until),
            self._absent(run, since, until),
            self._busy(run, since, until),
            self._full("work pool", run.work_pool, run, since, until),
            self._full("work queue", f"{run.work_pool}/{run.work_queue}", run, since, until),
            self._given_away(run, since, until),
        ):
            if reasons:
                return reasons
        if before := [note for note in struck if note.at < until]:
            return [fault(before[-1])]
        if run.work_pool is None and run.deployment is not None:
            return [Reason("its deployment has no work pool", None, "", run.id)]
        return []

    def _deployment(self, run: RunRecord, since: datetime, until: datetime) -> list[Reason]:
        """It was told to wait for a slot of its deployment."""
        if not any(state.name == "AwaitingConcurrencySlot" for state in run.states):
            return []
        return self._full("deployment", run.deployment, run, since, until)

    def _paused(self, run: RunRecord, since: datetime, until: datetime) -> list[Reason]:
        queue = f"{run.work_pool}/{run.work_queue}"
        for kind, name in (
            ("deployment", run.deployment),
            ("work pool", run.work_pool),
            ("work queue", queue),
        ):
            gate = self._evidence.gate(kind, name)
            if gate is not None and gate.paused and run.start is None:
                return [Reason(f"the {kind} {name} is paused", None, "", run.id)]
        for what in (f"work pool {run.work_pool}", f"work queue {queue}"):
            for note in self._evidence.paused(what, since, until):
                if note.until is not None and until - note.until < LATE:
                    said = f"the {what} was paused until {moment(note.until)}"
                    return [Reason(said, note.at, "", run.id)]
        return []

    def _absent(self, run: RunRecord, since: datetime, until: datetime) -> list[Reason]:
        if run.work_pool is None:
            return []
        others = self._evidence.workers(run.work_pool, since, until)
        away = [] if None in others.values() else self._evidence.away(run.work_pool, since, until)
        told = [note for note in away if note.because is not None or not others]
        if told:  # where others are, somebody has put them in the place of one that was stopped
            # Of several that overlap, the one that kept it away last.
            note = max(told, key=lambda one: min(one.until or until, until))
            back = "and is not back" if note.until is None else f"until {moment(note.until)}"
            name = worker_of(note)
            who = "the worker" if name == first_of(run.work_pool) else f"the worker {name}"
            cause = self._evidence.numbered.get(-1 if note.because is None else note.because)
            ended = cause is not None and "request" in cause.details
            gone = "was ended by an error of the API" if ended else "was away"
            said = f"{who} of work pool {run.work_pool} {gone}, {back}"
            here = Reason(said, note.at, note.where, run.id)
            return [here, fault(cause)] if cause is not None else [here]
        for note in self._evidence.unanswered(run.work_pool, since, until):
            said = f"the worker of work pool {run.work_pool} did not get its answers"
            return [Reason(said, note.at, "", run.id), fault(note)]
        return []

    def _busy(self, run: RunRecord, since: datetime, until: datetime) -> list[Reason]:
        """Whether all its pool's workers ran as many runs as they may."""
        if run.work_pool is None:
            return []
        limits = list(self._evidence.workers(run.work_pool, since, until).values())
        total = sum(limit for limit in limits if limit is not None)
        if not limits or None in limits:
            return []
        what = f"the workers of work pool {run.work_pool}"
        return self._taken(what, total, "workers", run, since, until)

    def _full(
        self, kind: str, name: str | None, run: RunRecord, since: datetime, until: datetime
    ) -> list[Reason]:
        """Whether all slots were taken while it waited, and by whom: the one that held one longest."""
        gate = self._evidence.gate(kind, name)
        if gate is None or gate.limit is None:
            return []
        if gate.limit == 0:
            return [Reason(f"the {kind} {name} has a limit of 0", None, "", run.id)]
        return self._taken(f"{kind} {name}", gate.limit, kind, run, since, until)

    def _taken(
        self,
        what: str,
        limit: int,
        kind: str,
        run: RunRecord,
        since: datetime,
        until: datetime,
    ) -> list[Reason]:
        """Whether all slots of something were taken at one time by runs that go through it."""
        holders = [
            (end - begin, begin, other)
            for begin, end, other in self._spans(kind, run).within(since, until)
            if other.id != run.id
        ]
        if most_at_a_time([(begin, begin + span) for span, begin, _ in holders], since) < limit:
            return []
        _, begin, holder = max(holders, key=lambda one: (one[0], one[1]))
        slots = "the only slot" if limit == 1 else f"one of the {limit} slots"
        said = f"{title(holder)} held {slots} of {what}"
        return [Reason(said, begin, "", holder.id, gate=what), *self._causes(holder)]

    def _given_away(self, run: RunRecord, since: datetime, until: datetime) -> list[Reason]:
        """Whether a pool with a limit gave what was free to runs that their deployments refused."""
        gate = self._evidence.gate("work pool", run.work_pool)
        if gate is None or gate.limit is None:
            return []
        for other in self._evidence.happened:
            for state in other.states if other.work_pool == run.work_pool else ():
                if state.name == "AwaitingConcurrencySlot" and since <= state.timestamp < until:
                    pool = f"work pool {run.work_pool}"
                    said = (
                        f"{pool} gave a free slot to {title(other)}, which its deployment's limit"
                        " refused"
                    )
                    return [Reason(said, state.timestamp, "", other.id, gate=pool)]
        return []

    def _spans(self, kind: str, run: RunRecord) -> Spans:
        """When runs that go through the same gate of a kind as this one took a slot."""
        gate = _GATE[kind](run)
        if kind not in self._taken_of:
            through: dict[object, list[tuple[datetime, datetime, RunRecord]]] = defaultdict(list)
            for other in self._evidence.happened:
                spans = held(other.states, self._evidence.history.now)
                exited = self._evidence.exited(other) if kind == "workers" else None
                if spans and exited is not None:
                    begin, end = spans.pop()
                    spans.append((begin, max(end, exited)))
                through[_GATE[kind](other)].extend((begin, end, other) for begin, end in spans)
            self._taken_of[kind] = {name: Spans(found) for name, found in through.items()}
        return self._taken_of[kind].get(gate, _NONE)

    def _causes(self, holder: RunRecord) -> list[Reason]:
        """Why the holder of a slot held it, if that was no matter of course."""
        struck = self._evidence.of(holder, "fault")
        if struck:
            return [fault(struck[-1])]
        followed = [] if holder.completed else self._follow(holder)
        return followed if len(followed) > 1 else []


_GATE: Mapping[str, Callable[[RunRecord], object]] = {
    "deployment": lambda run: run.deployment,
    "workers": lambda run: run.work_pool,
    "work pool": lambda run: run.work_pool,
    "work queue": lambda run: (run.work_pool, run.work_queue),
}
"""By the kind of a gate, what tells which one of them a run goes through."""


class Spans:
    """Spans of time in which runs took slots, found without looking at each."""

    def __init__(self, spans: Iterable[tuple[datetime, datetime, RunRecord]]) -> None:
        self._spans = sorted(spans, key=lambda span: span[0])
        self._begins = [begin for begin, _, _ in self._spans]
        # So far the latest end: what comes before the first one that is late enough has ended.
        self._ends = list(accumulate((end for _, end, _ in self._spans), max))

    def within(
        self, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, datetime, RunRecord]]:
        """Those that have a part between two instants, in the order in which they begin."""
        first, last = bisect_right(self._ends, since), bisect_left(self._begins, until)
        return (span for span in self._spans[first:last] if span[1] > since)


_NONE = Spans(())


def most_at_a_time(spans: Iterable[tuple[datetime, datetime]], since: datetime) -> int:
    """The largest number of spans that there are at one instant, from one on."""
    spans = list(spans)
    instants = {max(begin, since) for begin, _ in spans}
    return max((sum(begin <= at < end for begin, end in spans) for at in instants), default=0)


def held(states: Iterable[StateRecord], now: datetime) -> list[tuple[datetime, datetime]]:
    """The spans in which a run with these states took a slot."""
    spans: list[tuple[datetime, datetime]] = []
    begin: datetime | None = None
    for state in states:
        if state.type in TAKING:
            begin = begin or state.timestamp
        elif begin is not None:
            spans.append((begin, state.timestamp))
            begin = None
    return [*spans, (begin, now)] if begin is not None else spans
