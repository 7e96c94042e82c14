"""What happened, read only: records of runs, measures over them, and the results file.

It imports nothing that runs: only `arguments`, `instants` and `errors`. Open `records.py` for what a run
is, `history.py` for what is asked of all of them, `reading.py` for how they are read, `measures/` for
figures, `results.py` for the file.
"""

from simulator.history.again import done_again
from simulator.history.attempts import Attempts
from simulator.history.differing import Difference, differences
from simulator.history.explaining import (
    Explanation,
    Reason,
    TableExplanation,
    explain,
    explain_table,
    explanations,
    kept_from,
)
from simulator.history.findings import FindingRecord
from simulator.history.gates import Gate
from simulator.history.history import History
from simulator.history.kept import Key, Outcome, kept_histories, kept_outcomes, some_of
from simulator.history.normal import normalised_rows
from simulator.history.notes import Journal, Note
from simulator.history.parted import Parting, parting, parting_of_ends
from simulator.history.reading import Reader
from simulator.history.records import LogRecord, RunRecord, StateRecord, TaskRecord, called, moment
from simulator.history.results import Results, merge
from simulator.history.simulated import Explaining
from simulator.history.tables import SCHEMA
from simulator.history.tables import TABLES as RESULT_TABLES

__all__ = [
    "RESULT_TABLES",
    "SCHEMA",
    "Attempts",
    "Difference",
    "Explaining",
    "Explanation",
    "FindingRecord",
    "Gate",
    "History",
    "Journal",
    "Key",
    "LogRecord",
    "Note",
    "Outcome",
    "Parting",
    "Reader",
    "Reason",
    "Results",
    "RunRecord",
    "StateRecord",
    "TableExplanation",
    "TaskRecord",
    "called",
    "differences",
    "done_again",
    "explain",
    "explain_table",
    "explanations",
    "kept_from",
    "kept_histories",
    "kept_outcomes",
    "merge",
    "moment",
    "normalised_rows",
    "parting",
    "parting_of_ends",
    "some_of",
]
