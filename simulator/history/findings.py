"""What was found out about a step, as a results file keeps it: in an audit, or in the design of a project."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

LEVELS = ("serious", "noticed", "minor", "unknown", "well")
"""How serious a kind of finding is: somebody loses by it and nobody is told; it ends badly and somebody is
told; it costs something; nobody can say; it is well so."""


@dataclass(frozen=True)
class FindingRecord:
    """`subject` is the deployment, flow or task that it is about; `cause` what was done to it, in a word,
    and `cause_says` in more, both empty if nothing was. `kind` is what came of it or is wrong, `kind_says`
    what that means, `rank` its place among all kinds (0 is the most serious) and `level` one of `LEVELS`.
    `said` is what is the case, and `times` how often it was seen; `seconds` is how long it took, or by how
    much something is later; `where` is "file:line"; `run_id` the run that shows it, and `explained` why
    that went so. What there is not is None or empty.
    """

    subject: str
    kind: str
    kind_says: str
    rank: int
    level: str
    said: str
    cause: str = ""
    cause_says: str = ""
    times: int = 1
    seconds: float | None = None
    where: str = ""
    run_id: UUID | None = None
    explained: str = ""

    @property
    def cell(self) -> str:
        """What is called so in an audit, where the variant in which it was tried has this name."""
        return f"{self.subject}:{self.cause}"

    @property
    def expectation(self) -> str:
        """What it is called among the verdicts of its variant."""
        whom = self.said if self.cause else self.subject
        return f"{self.kind}: {whom}" if whom else self.kind
