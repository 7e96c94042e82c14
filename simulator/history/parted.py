"""Where histories part: the first instant at which not the same happens in all of them, and the first
at which not the same comes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from simulator.history.history import History
from simulator.history.records import RunRecord


@dataclass(frozen=True)
class Parting:
    """The instant (UTC, to the second), and for each history what happens there in it and not in all.

    What happens is the name of a flow and that of the state which a run of it enters.
    """

    at: datetime
    sides: tuple[tuple[tuple[str, str], ...], ...]


def parting(histories: Sequence[History]) -> Parting | None:
    """The first instant at which not all of these histories have the same runs entering the same
    states, to the second; None if there is none, or but one history.

    Only flows that ran in all of them are compared (variants often name their parents differently),
    and only what happened by the end of the shortest. A run counts from its first state after
    Scheduled: one that was only written down has not happened.
    """
    if len(histories) < 2:
        return None
    until = min(history.now for history in histories)
    common = set.intersection(*({run.flow for run in one.runs()} for one in histories))
    entered = [_entered(history, common, until) for history in histories]
    shared = entered[0]
    for other in entered[1:]:
        shared = shared & other
    alone = [one - shared for one in entered]
    at = min((instant for one in alone for instant, _, _ in one), default=None)
    if at is None:
        return None
    return Parting(
        at,
        tuple(
            tuple(sorted((flow, state) for instant, flow, state in one.elements() if instant == at))
            for one in alone
        ),
    )


def parting_of_ends(histories: Sequence[History]) -> Parting | None:
    """The first end, to the second, of runs by schedule that were due at one instant in all of these
    histories and do not end in the same states; None if there is none, or but one history.

    Only runs that nobody called are compared, whatever their flows are called: when they began, and how
    long they took, does not matter.
    """
    if len(histories) < 2:
        return None
    ended = [_ended(history) for history in histories]
    found = []
    for due in set.intersection(*(set(one) for one in ended)):
        runs = [one[due] for one in ended]
        states = [sorted(str(run.state) for run in own) for own in runs]
        if any(one != states[0] for one in states):
            found.append((min(run.states[-1].timestamp for own in runs for run in own), due))
    if not found:
        return None
    at, due = min(found)
    sides = [sorted((run.flow, str(run.state)) for run in one[due]) for one in ended]
    return Parting(at.replace(microsecond=0), tuple(map(tuple, sides)))


def _ended(history: History) -> dict[datetime, list[RunRecord]]:
    ended: dict[datetime, list[RunRecord]] = {}
    for run in history.runs():
        if run.auto_scheduled and run.parent is None and run.final and run.scheduled is not None:
            ended.setdefault(run.scheduled.replace(microsecond=0), []).append(run)
    return ended


def _entered(
    history: History, flows: set[str], until: datetime
) -> Counter[tuple[datetime, str, str]]:
    return Counter(
        (state.timestamp.replace(microsecond=0), run.flow, state.name)
        for run in history.runs()
        for state in run.states
        if run.flow in flows and state.name != "Scheduled" and state.timestamp <= until
    )
