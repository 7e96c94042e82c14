"""What became of a cell, as the findings of a results file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.audit import clocks
from simulator.audit.cells import IN_WORDS
from simulator.audit.judging import KINDS
from simulator.audit.table import Found, level_of
from simulator.history import FindingRecord

CAUSES = IN_WORDS | {clocks.COLUMN: clocks.IN_WORDS}
"""Every column of the table, in words."""


def recorded(found: Iterable[Found]) -> Iterator[FindingRecord]:
    """One finding for each thing that became of each cell, most serious first within a cell."""
    for one in found:
        for outcome in one.outcomes:
            yield FindingRecord(
                subject=one.cell.step,
                kind=outcome.kind,
                kind_says=KINDS[outcome.kind],
                rank=outcome.severity,
                level=level_of(outcome.kind),
                said=outcome.said,
                cause=one.cell.column,
                cause_says=CAUSES[one.cell.column],
                seconds=outcome.seconds,
                run_id=outcome.run_id,
            )
