"""What can go wrong, each as one clear line."""

from __future__ import annotations


class SimulationError(Exception):
    """Base of every error that the simulator raises for its user. The first line of `str(error)` is the
    cause; there are others, with what to do, only of ClockStalled and NothingToRun.
    """


class ClockStalled(SimulationError):
    """The clock was held for longer than the stall limit, in real time, without progress."""


class NothingToRun(SimulationError):
    """The caller waits for something that can never happen: nothing is left to run."""


class Deadlock(NothingToRun):
    """Threads wait for one another's locks in a circle, and none of them with a time-out."""


class UnsupportedOperation(SimulationError):
    """Something that cannot follow the virtual clock, with what to use instead."""


class ConnectionRefused(SimulationError, ConnectionRefusedError):
    """A connection would have left this machine. Libraries take it for a host that refuses."""


class SilentFault(UserWarning):
    """A fault was injected and never struck: what was to be tried has not been."""
