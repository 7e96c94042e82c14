"""The table: a row for each course that things take, with the cells that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.audit.cells import Cell
from simulator.audit.judging import KINDS, Outcome
from simulator.errors import SimulationError
from simulator.report import duration

SERIOUS = frozenset(list(KINDS)[: list(KINDS).index("noticed")])
"""The kinds of which nobody would say that it is well so."""

_LEVELS = {
    "noticed": "noticed",
    "not over": "unknown",
    "never struck": "unknown",
    "healed": "well",
    "nothing": "well",
}

HEADINGS = ("what becomes of it", "of whom", "cells")


@dataclass(frozen=True)
class Found:
    """What became of one cell, most serious first."""

    cell: Cell
    outcomes: tuple[Outcome, ...]

    @property
    def worst(self) -> Outcome:
        """The most serious of it."""
        return self.outcomes[0]


@dataclass(frozen=True)
class Row:
    """Cells with the same course: the same became of them, but for how long it took."""

    found: tuple[Found, ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of them, most serious first; times are those of the first cell."""
        return self.found[0].outcomes


def level_of(kind: str) -> str:
    """How serious a kind of outcome is, as one of the levels of a finding in a results file."""
    return "serious" if kind in SERIOUS else _LEVELS.get(kind, "minor")


def rows_of(found: Iterable[Found]) -> list[Row]:
    """The rows, most serious first; then those with more cells."""
    folded: dict[tuple[tuple[str, str], ...], list[Found]] = {}
    for one in found:
        course = tuple((outcome.kind, outcome.said) for outcome in one.outcomes)
        folded.setdefault(course, []).append(one)
    rows = [Row(tuple(cells)) for cells in folded.values()]
    return sorted(rows, key=lambda row: (row.outcomes[0].severity, -len(row.found)))


def cells_of_row(row: Row) -> tuple[str, str, str]:
    """A row for reading, as `HEADINGS` say."""
    worst, *others = row.outcomes
    said = [worst.said or "-", *(in_words(one) for one in others)]
    return head(row), "; ".join(said), ", ".join(one.cell.name for one in row.found)


def head(row: Row) -> str:
    """The worst of a row in a word or two, with the shortest and the longest time that it took."""
    times = [one.worst.seconds for one in row.found if one.worst.seconds is not None]
    return f"{row.outcomes[0].kind}{_after(times)}"


def in_words(outcome: Outcome) -> str:
    """An outcome as a phrase: "late by 3h 00m: orders/prod"."""
    times = [] if outcome.seconds is None else [outcome.seconds]
    said = f": {outcome.said}" if outcome.said else ""
    return f"{outcome.kind}{_after(times)}{said}"


def _after(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    least, most = duration(min(seconds)), duration(max(seconds))
    return f" ({least})" if least == most else f" ({least} to {most})"


# -- for something else to read -----------------------------------------------------------------------


def as_json(head: dict[str, Any], rows: Iterable[Row]) -> str:
    """Everything that is known, with what is the same for all (`head`). Times are in seconds."""
    told = {
        **head,
        "rows": [
            {
                "kind": row.outcomes[0].kind,
                "serious": row.outcomes[0].kind in SERIOUS,
                "outcomes": [{"kind": one.kind, "said": one.said} for one in row.outcomes],
                "cells": [
                    {
                        "cell": one.cell.name,
                        "fault": dict(one.cell.fault),
                        "seconds": [outcome.seconds for outcome in one.outcomes],
                    }
                    for one in row.found
                ],
            }
            for row in rows
        ],
    }
    return json.dumps(told, indent=2)


def as_markdown(headline: str, rows: Iterable[Row]) -> str:
    """A comment for a pull request."""
    lines = [
        f"### {headline}",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|---" * len(HEADINGS) + "|",
    ]
    for row in rows:
        cells = (text.replace("|", "\\|").replace("<", "&lt;") for text in cells_of_row(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def new_in(found: Iterable[Found], baseline: Path) -> list[Found]:
    """The serious ones that a baseline, as `as_json` has written it, does not have.

    Raises SimulationError if there is no such file, or if it is something else.
    """
    try:
        told = json.loads(baseline.read_text(encoding="utf-8"))
        known = {
            (cell["cell"], row["outcomes"][0]["kind"], row["outcomes"][0]["said"])
            for row in told["rows"]
            for cell in row["cells"]
        }
    except OSError as wrong:
        raise SimulationError(f"cannot read {str(baseline)!r}: {wrong.strerror}") from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise SimulationError(
            f"{str(baseline)!r} is no baseline: `simulate audit --json` prints one"
        ) from None
    return [
        one
        for one in found
        if one.worst.kind in SERIOUS
        and (one.cell.name, one.worst.kind, one.worst.said) not in known
    ]
