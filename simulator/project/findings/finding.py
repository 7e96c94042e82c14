"""A finding: something in the design of a project that will hurt, and what shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

KINDS = {
    "unknown deployment": "a name that no deployment of the project has",
    "unknown name": "a trigger that waits for what there is not",
    "wrong parameters": "a parameter that the flow does not have, or one that it needs and does not get",
    "masked failure": "a child failed, and its parent is Completed",
    "stale table": "a table older than its cadence: a run that should have written it has not",
    "left behind": "tasks that their flow did not wait for",
    "endless": "a run that asks again and again for what does not answer",
    "endless trigger": "a deployment that its own runs start again",
    "nobody waits": "a child that outlives its parent",
    "doubled schedule": "two schedules of one deployment make a run each for one instant",
    "nested retries": "the retries of a flow and of its tasks multiply",
    "overlap": "runs of one deployment at once",
    "change of clocks": "a day on which clocks change skips, doubles or moves a run",
    "starved": "runs that begin long after their time, since others have what they wait for",
    "late": "runs that begin long after their time",
    "fails": "runs that end badly, by themselves",
    "ignored key": "a key that Prefect does not read where it stands",
    "frozen default": "a default that is computed once, when the file is imported",
    "collision": "many deployments are due at one instant",
}
"""What is looked for, most serious first."""


@dataclass(frozen=True)
class Finding:
    """`kind` is one of `KINDS`; `subject` the deployment that it is about; `sentence` says what is the
    case, `times` how often it was seen. `run_id` is the first run that shows it, `run` what it is
    called, and `explanation` why it went so; `where` is "file:line", if there is one. What there is
    not is None or empty.
    """

    kind: str
    subject: str
    sentence: str
    times: int = 1
    where: str = ""
    run_id: UUID | None = None
    run: str = ""
    explanation: str = ""


def shown_by(findings: Iterable[Finding]) -> list[Finding]:
    """The same, in which what was read in a file is shown by the runs that failed there, if any did."""
    found = list(findings)
    for known in [one for one in found if one.kind == "unknown deployment"]:
        for failed in [one for one in found if one.kind == "fails"]:
            if known.where in failed.explanation:
                found.remove(failed)
                found[found.index(known)] = replace(
                    known,
                    times=failed.times,
                    run_id=failed.run_id,
                    run=failed.run,
                    explanation=failed.explanation,
                )
                break
    return found


def in_order(findings: list[Finding]) -> list[Finding]:
    """Most serious first, then what was seen more often, then by name."""
    ranks = list(KINDS)
    return sorted(findings, key=lambda one: (ranks.index(one.kind), -one.times, one.subject))
