"""One cell opened: what happened when, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from simulator.audit.cells import IN_WORDS
from simulator.audit.strikes import AUDITED, strikes
from simulator.audit.table import Found, in_words
from simulator.audit.twins import Twins, named, outermost
from simulator.history import History, RunRecord, explain, moment

MOST_LINES = 100
"""A timeline is not longer."""

Line = tuple[datetime, int, str, str]
"""When, in which order within the instant (beginnings, the fault, ends), who, what."""

BEGINS, STRIKES, ENDS = range(3)


def shown(found: Found, before: History, after: History | None, command: str) -> str:
    """A cell in words: what became of it, its timeline, why, and the `command` that repeats it.

    `before` is the history without the fault, `after` the one with it; None if there is none.
    """
    cell = found.cell
    lines = [f"{cell.name}: {IN_WORDS[cell.column]}"]
    lines += [f"  {in_words(one)}" for one in found.outcomes]
    if after is not None:
        twins = Twins(before, after)
        lines += ["", "What happens, and what would without the fault"]
        lines += _aligned(list(timeline(found, twins)))
        run_ids = dict.fromkeys(one.run_id for one in found.outcomes if one.run_id is not None)
        lines += ["", "Why"] if run_ids else []
        for run_id in run_ids:
            said = str(explain(after, after.run(run_id))).splitlines()
            lines += [f"  {line}" for line in said]
    return "\n".join([*lines, "", "Again", f"  {command}"])


def timeline(found: Found, twins: Twins) -> Iterator[Line]:
    """What happens with the fault to the struck run, to all that belong to it, and to all that what
    became of it is about, oldest first; each state that the same would not have entered is marked.
    """
    after = twins.after
    tree = twins.with_fault(outermost(twins.before.run(found.cell.run_id)))
    roots = {} if tree is None else {tree.id: tree}
    for one in found.outcomes:
        if one.run_id is not None:
            root = outermost(after.run(one.run_id))
            roots[root.id] = root
    lines: list[Line] = [
        (note.at, STRIKES, "FAULT", note.text.removeprefix(f"{AUDITED}: "))
        for note in strikes(after)[:1]
    ]
    for root in roots.values():
        for run in (root, *root.descendants()):
            lines += _of_run(run, twins.without_fault(run))
    for run in twins.missing():
        if run.start is not None:
            lines.append((run.start, BEGINS, named(run), "is not there: it would begin"))
    lines.sort(key=lambda line: line[:2])
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield lines[-1][0], ENDS, "...", f"{len(lines) - MOST_LINES} lines more"


def _of_run(run: RunRecord, twin: RunRecord | None) -> Iterator[Line]:
    known = [] if twin is None else [(one.name, one.timestamp) for one in twin.states]
    for state in run.states:
        if state.name in ("Scheduled", "Pending", "Submitting"):
            continue
        said = textwrap.shorten(f"{state.name}: {state.message or ''}".rstrip(": "), 120)
        last = run.final and state == run.states[-1]
        if last and (state.name, state.timestamp) not in known:
            said += _instead(twin)
        yield state.timestamp, ENDS if last else BEGINS, named(run), said
    for task in run.tasks:
        who = f"{named(run)} > {task.task}"
        tried = f", after {task.run_count} attempts" if task.run_count > 1 else ""
        if task.start is not None:
            yield task.start, BEGINS, who, "begins"
        if task.end is not None:
            yield task.end, ENDS, who, f"ends {task.state}{tried}"


def _instead(twin: RunRecord | None) -> str:
    if twin is None:
        return " (there would be no such run)"
    if twin.end is None:
        return f" (it would be {twin.state})"
    return f" (it would be {twin.state} at {moment(twin.end)})"


def _aligned(lines: list[Line]) -> list[str]:
    width = max((len(who) for _, _, who, _ in lines), default=0)
    return [f"  {moment(at):<24}  {who:<{width}}  {what}" for at, _, who, what in lines]
