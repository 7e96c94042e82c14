"""Why a run ended as it did, or did not start: in words, back to the fault or the run that caused it.

It reads a history and its notes, nothing else. Open `explanation.py` for what comes out, `why.py` for
how a cause is followed, `endings.py` and `delays.py` for what is told of each.
"""

from simulator.history.explaining.explanation import Explanation, Reason
from simulator.history.explaining.why import explain, explanations, find

__all__ = ["Explanation", "Reason", "explain", "explanations", "find"]
