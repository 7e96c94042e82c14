"""Runs that ask again and again for what they are refused, and never end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from simulator.history import History, RunRecord, called, explain
from simulator.places import short
from simulator.project.findings.finding import Finding
from simulator.project.findings.observed import named
from simulator.report import duration

OFTEN = 100
"""So many times one line asks for one host in vain, in a run that goes on, before it is said."""


def endless(history: History) -> Iterator[Finding]:
    """A finding for each line at which runs that still go on have asked for one host in vain, again and
    again: a loop that a service which does not answer keeps for ever.
    """
    going_on = {run.id: run for run in history.runs() if run.start is not None and not run.final}
    asked: Counter[tuple[UUID, str, str]] = Counter()
    for note in history.notes:
        if note.kind == "refused" and note.run_id in going_on:
            asked[note.run_id, note.text, short(note.where)] += 1
    shown: dict[tuple[str, str, str], list[tuple[RunRecord, int]]] = {}
    for (run_id, host, where), times in asked.items():
        if times >= OFTEN:
            run = going_on[run_id]
            shown.setdefault((named(run), host, where), []).append((run, times))
    for (name, host, where), runs in shown.items():
        run, times = max(runs, key=lambda one: one[1])
        assert run.start is not None
        yield Finding(
            "endless",
            name,
            f"a run of {name} goes on for {duration((history.now - run.start).total_seconds())}:"
            f" it has asked for {host} {times:,} times, and nothing ends that while it does not answer",
            len(runs),
            where=where,
            run_id=run.id,
            run=called(run),
            explanation=str(explain(history, run)),
        )
