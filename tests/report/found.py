"""Results files with findings, without a simulation: an audit of the two flows of a night, and a project."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from nights import night

from simulator.audit import Cell, Found, Kept, Of, Outcome
from simulator.history import Results
from simulator.project import Finding, recorded
from simulator.scenarios.verdict import Verdict

OF = Of("shop", 0, "2026-03-28T00:00:00+00:00", 1, "as it is")


def audited(step: str, column: str, *outcomes: Outcome) -> Found:
    return Found(Cell(step, column, {"kind": "raise"}, UUID(int=1)), outcomes)


def write_audit(path: Path) -> None:
    """Two steps and four columns, of which one is of changes of clocks; one simulation gave no answer."""
    base, after = night("Failed"), night("Completed")
    failed = after.runs(flow="child")[1].id
    masked = Outcome("masked", "child/dev ends Failed, and parent/dev is Completed", None, failed)
    found = [
        audited("child/dev", "raises-once", Outcome("healed", "by another attempt", 60.0, failed)),
        audited("child/dev", "raises", masked, Outcome("late", "parent/dev", 900.0)),
        audited("parent/dev", "raises", Outcome("noticed", "by parent/dev", 5.0, failed)),
        audited("parent/dev", "killed", masked, Outcome("late", "parent/dev", 900.0)),
        audited("child/dev", "killed", Outcome("no answer", "its process was killed")),
    ]
    kept = Kept(path, OF, command=lambda cell: f"simulate audit shop --show {cell}")
    kept.begin(base, (), [one.cell for one in found], 1.0)
    for one in found:
        answered = one.worst.kind != "no answer"
        error = "" if answered else one.worst.said
        kept.add(one, after if answered else None, error, 1.0)
    kept.add_clock_changes(
        [audited("parent/dev", "clocks", Outcome("lost run", "parent/dev on 2026-03-29, skipped"))]
    )


def write_project(path: Path) -> None:
    """A project as it is and as it would be: three findings, of which two are of one kind, and one."""
    history = night("Completed")
    failed = history.runs(flow="child")[1]
    masked = Finding(
        "masked failure",
        "parent/dev",
        "child/dev ends Failed",
        3,
        "flows.py:7",
        failed.id,
        "the run",
    )
    findings = [
        replace(masked, explanation="because of a fault"),
        Finding("ignored key", "child/dev", "`retrys` of child/dev", where="prefect.yaml:3"),
        Finding("ignored key", "child/dev", "`cronn` of child/dev", where="prefect.yaml:9"),
    ]
    file = Results.open(path)
    for variant, own in (("as it is", findings), ("read.retries=3", findings[1:2])):
        kept = list(recorded(own))
        verdicts = [Verdict(one.expectation, passed=False, message=one.said) for one in kept]
        file.add(
            "shop", variant, 0, history, (), [*verdicts, Verdict("never two at once", passed=True)],
            findings=kept, days=1, command="simulate project shop",
        )  # fmt: skip
