"""Where histories part: the first instant at which not the same happens in all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from simulator.history.history import History


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


def _entered(
    history: History, flows: set[str], until: datetime
) -> Counter[tuple[datetime, str, str]]:
    return Counter(
        (state.timestamp.replace(microsecond=0), run.flow, state.name)
        for run in history.runs()
        for state in run.states
        if run.flow in flows and state.name != "Scheduled" and state.timestamp <= until
    )
