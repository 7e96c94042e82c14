"""A testable local simulator for flows of flows on Prefect."""

from simulator.errors import (
    ClockStalled,
    NothingToRun,
    SimulationError,
    UnsupportedOperation,
)
from simulator.faults import lognormal
from simulator.simulation import Simulation

__all__ = [
    "ClockStalled",
    "NothingToRun",
    "Simulation",
    "SimulationError",
    "UnsupportedOperation",
    "lognormal",
]
