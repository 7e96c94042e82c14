"""Why a run ended as it did, or did not start, and why a table is old: in words, back to the fault or
the run that caused it.

It reads a history and its notes, nothing else. Open `explanation.py` for what comes out, `why.py` for
how a cause is followed, `completed.py`, `endings.py` and `delays.py` for what is told of each,
`causes.py` for where an exception comes from, `tables.py` for tables.
"""

from simulator.history.explaining.explanation import Explanation, Reason
from simulator.history.explaining.tables import TableExplanation, explain_table
from simulator.history.explaining.why import explain, explanations, find, kept_from

__all__ = [
    "Explanation",
    "Reason",
    "TableExplanation",
    "explain",
    "explain_table",
    "explanations",
    "find",
    "kept_from",
]
