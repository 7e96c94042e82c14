"""What stands in for a step's own code or for a function: given values, or ones of the right type.

Open `stub.py` for what a stub answers, `targets.py` for where a function is found, `samples.py` for
values that are made up. How a function comes to answer for another is `patches/functions.py`.
"""

from simulator.stubs.functions import Functions
from simulator.stubs.samples import TEXT, NoSample, returned, sample
from simulator.stubs.simulated import Stubbing
from simulator.stubs.stub import MADE_UP, Stub
from simulator.stubs.targets import target_of

__all__ = [
    "MADE_UP",
    "TEXT",
    "Functions",
    "NoSample",
    "Stub",
    "Stubbing",
    "returned",
    "sample",
    "target_of",
]
