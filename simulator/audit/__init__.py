"""What becomes of each step of a project when one thing at a time goes wrong: the failure-mode table.

It may import `project`, `scenarios`, `report` and all below; only entry points import it. Open
`audit.py` for the way through it, `cells.py` for what may go wrong, `judging.py` for what became of it,
which is read from two histories alone.
"""

from simulator.audit.audit import Begun, audit, chosen
from simulator.audit.cells import IN_WORDS, Cell
from simulator.audit.clocks import clock_changes
from simulator.audit.elsewhere import Elsewhere
from simulator.audit.judging import KINDS, Outcome, judged
from simulator.audit.kept import Kept, Of
from simulator.audit.running import Here, Processes
from simulator.audit.showing import shown
from simulator.audit.subject import Project, ScenarioVariant, Subject
from simulator.audit.table import (
    HEADINGS,
    SERIOUS,
    Found,
    as_json,
    as_markdown,
    cells_of_row,
    new_in,
    rows_of,
)
from simulator.audit.writing import as_test

__all__ = [
    "HEADINGS",
    "IN_WORDS",
    "KINDS",
    "SERIOUS",
    "Begun",
    "Cell",
    "Elsewhere",
    "Found",
    "Here",
    "Kept",
    "Of",
    "Outcome",
    "Processes",
    "Project",
    "ScenarioVariant",
    "Subject",
    "as_json",
    "as_markdown",
    "as_test",
    "audit",
    "cells_of_row",
    "chosen",
    "clock_changes",
    "judged",
    "new_in",
    "rows_of",
    "shown",
]
