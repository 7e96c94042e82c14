"""Findings as a results file keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.history import FindingRecord
from simulator.project.findings.finding import KINDS, Finding

SERIOUS = frozenset(list(KINDS)[: list(KINDS).index("doubled schedule")])
"""The kinds by which something is lost and nobody is told."""


def recorded(findings: Iterable[Finding]) -> Iterator[FindingRecord]:
    """The same findings in the same order."""
    ranks = list(KINDS)
    for one in findings:
        yield FindingRecord(
            subject=one.subject,
            kind=one.kind,
            kind_says=KINDS[one.kind],
            rank=ranks.index(one.kind),
            level=_level(one.kind),
            said=one.sentence,
            times=one.times,
            where=one.where,
            run_id=one.run_id,
            explained=one.explanation,
        )


def _level(kind: str) -> str:
    if kind in SERIOUS:
        return "serious"
    return "noticed" if kind == "fails" else "minor"
