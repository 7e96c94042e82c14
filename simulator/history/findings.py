"""What was found out about a step, as a results file keeps it: by an audit, or in a project's design."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class FindingRecord:
    """A row of the table `findings`.

    `subject` is the deployment, flow or task that it is about; `cause` what was done to it, in a word,
    and `cause_says` in more, both empty if nothing was. `kind` is what came of that, or is wrong, and
    `kind_says` what the word means; `rank` its place among all kinds (0 is the most serious), `level`
    how serious that is: "serious" (something is lost or wrong, and nobody is told), "noticed" (it ends
    badly, and somebody is told), "minor" (it costs something), "unknown" (nobody can say) or "well".
    `said` is what is the case, and `times` how often it was seen; `seconds` how long it took, or by how
    much something is later; `where` "file:line"; `run_id` the run that shows it, and `explained` why
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
        """The name of its cell in an audit, and of the variant that was run for that, if one was."""
        return f"{self.subject}:{self.cause}"

    @property
    def expectation(self) -> str:
        """What it is called among the verdicts of its variant."""
        whom = self.said if self.cause else self.subject
        return f"{self.kind}: {whom}" if whom else self.kind
