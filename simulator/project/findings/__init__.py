"""What is wrong with the design of a project: seen in its runs and schedules, or read in its files.

`finding.py` says what is looked for and in which order; `observed.py` looks at runs, `endless.py` at
those that do not end, `tables.py` at the tables that they write, `scheduled.py` at schedules,
`parameters.py` at what runs are given, `written.py` at files, `triggered.py` at automations.
`lacking.py` says what is no finding: what this machine lacks; `recorded.py` how one is kept.
"""

from simulator.project.findings.endless import endless
from simulator.project.findings.finding import KINDS, Finding, in_order, shown_by
from simulator.project.findings.lacking import (
    needs_module,
    needs_program,
    needs_stub,
    needs_value,
    needs_variable,
)
from simulator.project.findings.observed import at_once, lateness, observed
from simulator.project.findings.parameters import misfits
from simulator.project.findings.recorded import recorded
from simulator.project.findings.scheduled import scheduled
from simulator.project.findings.tables import stale
from simulator.project.findings.triggered import Automated, Names, triggered
from simulator.project.findings.written import names_in, written

__all__ = [
    "KINDS",
    "Automated",
    "Finding",
    "Names",
    "at_once",
    "endless",
    "in_order",
    "lateness",
    "misfits",
    "names_in",
    "needs_module",
    "needs_program",
    "needs_stub",
    "needs_value",
    "needs_variable",
    "observed",
    "recorded",
    "scheduled",
    "shown_by",
    "stale",
    "triggered",
    "written",
]
