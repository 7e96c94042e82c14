"""The differences that are known, each with the reason why it stays."""

from __future__ import annotations

from dataclasses import dataclass

from tests.conformance.case import Case
from tests.conformance.compare import Difference


@dataclass(frozen=True)
class Known:
    """Differences of a case in some aspects, and why they are not mended."""

    case: str
    what: tuple[str, ...]
    reason: str


KNOWN = [
    Known(
        case="worker-stopped-during-a-run",
        what=("state", "type", "states"),
        reason=(
            "`stop_worker` of the virtual engine is a worker that is away: it takes nothing, and what"
            " it has taken goes on. A real process worker that is ended by SIGTERM takes the"
            " processes of its runs with it and reports nothing, so that these runs stay Running for"
            " ever. Which of the two happens is a property of the infrastructure: in containers, which"
            " the virtual engine's processes stand for just as well, a run outlives its worker."
        ),
    ),
]


def excused(case: Case, difference: Difference) -> Known | None:
    """The entry that a difference is listed under."""
    for one in KNOWN:
        if one.case == case.name and difference.what in one.what:
            return one
    return None
