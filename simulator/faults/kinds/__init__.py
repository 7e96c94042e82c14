"""The kinds of faults, a file for each."""

from simulator.faults.kinds.hang import Hang
from simulator.faults.kinds.kill import Kill
from simulator.faults.kinds.longer import Longer
from simulator.faults.kinds.out_of_memory import OutOfMemory
from simulator.faults.kinds.raises import Raise
from simulator.faults.kinds.returns import Return
from simulator.faults.kinds.worker_away import WorkerAway

KINDS = {one.kind: one for one in (Raise, Return, Longer, Hang, Kill, OutOfMemory, WorkerAway)}
"""Each kind by the word for it in files."""

__all__ = ["KINDS", "Hang", "Kill", "Longer", "OutOfMemory", "Raise", "Return", "WorkerAway"]
