"""An explanation: reasons, each the cause of the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from simulator.history.records import RunRecord, moment


@dataclass(frozen=True)
class Reason:
    """One step of an explanation.

    `sentence` says what was the case, `at` when, `where` on which line of the user's code
    ("file.py:12"), each empty or None if it is not known. `run_id` is the run that it is about;
    `fault` the number of the fault that it is, if it is one; `gate` what that run kept others from, such
    as "work pool etl".
    """

    sentence: str
    at: datetime | None = None
    where: str = ""
    run_id: UUID | None = None
    fault: int | None = None
    gate: str = ""

    def __str__(self) -> str:
        known = [self.where, moment(self.at) if self.at is not None else ""]
        told = ", ".join(filter(None, known))
        return f"{self.sentence} ({told})" if told else self.sentence


@dataclass(frozen=True)
class Explanation:
    """Why a run is in the state that it is in.

    `reasons` lead from the run's own end back to what caused it, which is the last of them. As text
    it is one line that says the first and the last, and if there are more, a line for each. `lateness`
    says in the same way why it started late, if that is not what `reasons` are about.
    """

    run_id: UUID | None
    subject: str
    reasons: tuple[Reason, ...]
    lateness: tuple[Reason, ...] = ()

    @property
    def root(self) -> Reason:
        """The cause that nothing else is known to have caused."""
        return self.reasons[-1]

    @property
    def fault(self) -> int | None:
        """The number of the fault that it goes back to; None if it goes back to no fault."""
        return self.root.fault

    def __str__(self) -> str:
        lines = [*_chain(f"{self.subject}: ", self.reasons), *_chain("  it ", self.lateness)]
        return "\n".join(lines)


def _chain(before: str, reasons: tuple[Reason, ...]) -> Iterator[str]:
    """The lines that say reasons, each the cause of the one before."""
    if not reasons:
        return
    first, *others = reasons
    if len(others) < 2:
        yield "; because ".join([f"{before}{first}", *map(str, others)])
        return
    yield f"{before}{first}; in the end: {others[-1]}"
    yield from (f"  because {one}" for one in others)


def title(run: RunRecord) -> str:
    """What a run is called in an explanation: by its deployment or flow, and its time."""
    when = run.scheduled or run.start
    name = run.deployment or run.flow
    return f"{name} of {when.astimezone(UTC):%Y-%m-%d %H:%M}" if when is not None else name
