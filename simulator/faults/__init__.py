"""What may go wrong with a step, and how long it takes: plans, drawn from one seed.

`plans.py` says when a fault strikes, `durations.py` how long things take, and `steps.py` applies both
around a step's own code. It imports nothing that runs: a live engine uses it too.
"""

from simulator.faults.durations import Duration, LogNormal, draw, lognormal
from simulator.faults.plans import Fault, Step
from simulator.faults.steps import Steps

__all__ = [
    "Duration",
    "Fault",
    "LogNormal",
    "Step",
    "Steps",
    "draw",
    "lognormal",
]
