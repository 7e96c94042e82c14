"""What must be true of every topology, whatever goes wrong in it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from simulator.history import RunRecord
from simulator.history.records import FINAL_TYPES
from tests.attack.running import END, Lived
from tests.attack.topologies import START, name

LAWS: list[Callable[[Lived], Iterator[str]]] = []


def law(check: Callable[[Lived], Iterator[str]]) -> Callable[[Lived], Iterator[str]]:
    LAWS.append(check)
    return check


def broken(lived: Lived) -> list[str]:
    """What is not as it must be, in words; empty if all is."""
    return [f"{check.__name__}: {said}" for check in LAWS for said in check(lived)]


@law
def time_never_runs_back(lived: Lived) -> Iterator[str]:
    """The states of a run, and of a task, follow one another; nothing is before the beginning."""
    for run in lived.history.runs():
        for what in (run, *run.tasks):
            instants = [state.timestamp for state in what.states]
            if instants != sorted(instants):
                yield f"{run.name}: {[str(state) for state in what.states]}"
            if instants and instants[0] < START - timedelta(seconds=1):
                yield f"{run.name} is from {instants[0]}, before the beginning"
        if run.start and run.end and run.start > run.end:
            yield f"{run.name} has ended before it began"


@law
def a_child_ends_before_a_parent_that_waits_for_it(lived: Lived) -> Iterator[str]:
    """A parent that has Completed has waited for all that its last attempt has called, but for those
    that it has fired, those that the API did not let begin, and those whose order it made twice, since
    the answer to the first was lost; nobody begins before who has called it.
    """
    hows = {name(other): how for node in lived.topology.nodes for other, how in node.calls}
    for run in lived.history.runs():
        alone: Counter[str] = Counter()
        for child in run.children:
            if child.start and run.start and child.start < run.start:
                yield f"{child.name} began before its parent {run.name}"
            if run.state != "Completed" or hows.get(child.flow) in {"fired", "after"}:
                continue
            if child.states[0].timestamp < _last_began(run) or _was_refused(lived, child):
                continue
            if child.end is None or (run.end is not None and child.end > run.end):
                alone[child.flow] += 1
        if alone and alone.total() > (lost := _orders_without_answer(lived, run)):
            yield (
                f"{run.name} has Completed at {run.end}, {dict(alone)} of its children had not ended, "
                f"and it never learnt of {lost}"
            )


def _was_refused(lived: Lived, run: RunRecord) -> bool:
    """Whether a run has never begun, and a fault of the API struck what was to let it: who has called it
    was told so by an exception.
    """
    asked = f"POST /flow_runs/{run.id}/set_state"
    return run.start is None and any(
        note.details.get("request") == asked and kind != "api slow" for note, kind in lived.struck()
    )


def _last_began(run: RunRecord) -> datetime:
    """When the last attempt of a run began that has completed."""
    return max(state.timestamp for state in run.states if state.type == "RUNNING")


def _orders_without_answer(lived: Lived, run: RunRecord) -> int:
    """How often a run has ordered another and was not told that it was made: Prefect's client sends the
    order once more, and the server makes another run.
    """
    return sum(
        note.run_id == run.id
        and kind == "answer lost"
        and note.at >= _last_began(run)
        and note.details["request"].endswith(("POST /flow_runs/", "/create_flow_run"))
        for note, kind in lived.struck()
    )


FROM = {
    "SCHEDULED": {"SCHEDULED", "PENDING", "RUNNING", "CANCELLED", "CRASHED", "FAILED", "COMPLETED"},
    "PENDING": {"PENDING", "RUNNING", "SCHEDULED", "CANCELLED", "CRASHED", "FAILED", "COMPLETED"},
    "RUNNING": {
        "RUNNING",
        "SCHEDULED",
        "COMPLETED",
        "FAILED",
        "CRASHED",
        "CANCELLED",
        "CANCELLING",
    },
    "FAILED": {"SCHEDULED", "RUNNING"},
    "CRASHED": {"COMPLETED", "FAILED", "SCHEDULED", "CRASHED"},
}
"""Types of states, and what may follow: nothing leaves Completed or Cancelled, and nothing that has
failed is pending without having been scheduled again. A run that was taken for dead may still end.
"""

AGAIN = {"COMPLETED", "FAILED", "CRASHED"}
"""From these Prefect lets a worker take a run once more (its `PreventPendingTransitions`)."""


@law
def no_transition_that_prefect_forbids(lived: Lived) -> Iterator[str]:
    """A run that has ended is taken once more only if a worker's request for it was delayed by a fault,
    and another worker, or an earlier request, was there before.
    """
    delayed = {note.run_id for note, _ in lived.struck() if note.details.get("caller") == "worker"}
    for run in lived.history.runs():
        types = [state.type for state in run.states]
        if types and types[0] not in {"SCHEDULED", "PENDING"}:
            yield f"{run.name} began as {types[0]}"
        for one, other in itertools.pairwise(types):
            if other == "PENDING" and one in AGAIN and run.id in delayed:
                continue
            if other not in FROM.get(one, ()):
                yield f"{run.name} went from {one} to {other}: {[str(state) for state in run.states]}"


@law
def slots_are_given_back(lived: Lived) -> Iterator[str]:
    """Of a deployment's limit, as many slots are taken as runs hold one, and never more than there are."""
    for number, node in enumerate(lived.topology.nodes):
        if node.limit is None:
            continue
        runs = [
            run
            for run in lived.history.runs(upcoming=True)  # one may be taken ahead of its time
            if run.deployment == f"{name(number)}/dev"
        ]
        taken = lived.slots[name(number)]
        holding = [run.name for run in runs if run.state_type in {"PENDING", "RUNNING"}]
        if taken > len(holding):
            yield f"{taken} slots of {name(number)} are taken, by {holding or 'nobody'}"
        most = _at_once(runs, _deaths(lived))
        if most > node.limit:
            yield f"{most} runs of {name(number)} at once, with a limit of {node.limit}"


def _deaths(lived: Lived) -> dict[UUID, datetime]:
    """When the processes of runs were killed. Such a run may be Running for ever, and its slot is free
    when its lease has lapsed.
    """
    return {
        note.run_id: note.at
        for note, _ in lived.struck()
        if note.run_id is not None and note.details.get("process")
    }


def _at_once(runs: list[RunRecord], deaths: dict[UUID, datetime]) -> int:
    """How many were Running in a living process at one time, at most."""
    changes: Counter[datetime] = Counter()
    for run in runs:
        since = None
        for state in run.states:
            if state.type == "RUNNING" and since is None:
                since = state.timestamp
                changes[since] += 1
            elif state.type != "RUNNING" and since is not None:
                changes[state.timestamp] -= 1
                since = None
        if since is not None and run.id in deaths:
            changes[deaths[run.id]] -= 1
    most = now = 0
    for _, change in sorted(changes.items()):
        now += change
        most = max(most, now)
    return most


@law
def every_scheduled_run_is_accounted_for(lived: Lived) -> Iterator[str]:
    """One run for each instant of a schedule that nobody has touched, and each has a state that says
    why it has not ended.
    """
    touched = {
        getattr(fault, "deployment", None)
        for fault in lived.topology.faults
        if fault.kind in {"deployment paused", "redeployed"}
    }
    for number, node in enumerate(lived.topology.nodes):
        deployment = f"{name(number)}/dev"
        if node.every_minutes is None or deployment in touched or None in touched:
            continue
        runs = [
            run
            for run in lived.history.runs()
            if run.deployment == deployment and run.auto_scheduled and run.scheduled < END
        ]
        counted = Counter(run.scheduled for run in runs)
        instants = sorted(counted)
        twice = [at for at, count in counted.items() if count > 1]
        gaps = [
            one
            for one, other in itertools.pairwise(instants)
            if other - one != timedelta(minutes=node.every_minutes)
        ]
        if twice or gaps or END - instants[-1] > timedelta(minutes=node.every_minutes):
            yield f"{deployment}: twice {twice}, missing after {gaps}, last {instants[-1]}"


@law
def who_has_not_ended_was_kept_from_it(lived: Lived) -> Iterator[str]:
    """Hours after the last schedule, nobody is under way but for those whom a fault has kept, and
    those who wait for them or for what they hold.
    """
    under_way = [run for run in lived.history.runs() if run.state_type not in FINAL_TYPES]
    if under_way and not lived.fired and not _long(lived):
        yield f"without any fault: {[f'{run.name} {run.state}' for run in under_way]}"


def _long(lived: Lived) -> bool:
    """Whether the work alone may take longer than there is time, with the limits that there are."""
    return any(node.seconds >= 2000 for node in lived.topology.nodes) and (
        lived.topology.pool_limit is not None
        or any(node.limit is not None for node in lived.topology.nodes)
    )


@law
def nothing_is_left_behind(lived: Lived) -> Iterator[str]:
    yield from lived.left
