"""What may go wrong, and how long steps take: plans, drawn from one seed.

`plans.py` says what a fault is and when it strikes, `kinds/` what each kind does, `plain.py` how it is
kept as JSON; `durations.py` how long things take, `steps.py` applies both around a step's own code, and
`requests.py` and `events.py` say which requests to the API, and which events, are struck; `timed.py`
is what all faults that strike at an instant of their own have in common, and `layers.py` what becomes of
a thing that several of them have changed; `earlier.py` keeps what steps have returned, and
`readings.py` notes who reads what a fault has changed.
It imports nothing that runs: a live engine uses it too.
"""

from simulator.faults.durations import Duration, LogNormal, draw, lognormal
from simulator.faults.earlier import watched
from simulator.faults.events import Emitted, Events
from simulator.faults.injecting import Faults
from simulator.faults.kinds import (
    KINDS,
    AnswerLost,
    ApiError,
    ApiLimited,
    ApiRefused,
    ApiSlow,
    DeploymentPaused,
    DiskFull,
    EventLate,
    EventLost,
    EventTwice,
    ExitLate,
    FileDamaged,
    Hang,
    HeartbeatLost,
    Kill,
    Longer,
    NeverStarts,
    NodeFails,
    OutOfMemory,
    ProcessKilled,
    Raise,
    Redeployed,
    Return,
    ReturnEarlier,
    SlowStart,
    TableAltered,
    WarehouseLocked,
    WorkerAway,
    WorkerKilled,
    WorkerLost,
)
from simulator.faults.layers import Layers
from simulator.faults.nodes import Nodes
from simulator.faults.plain import duration_from_plain, duration_of_plain, from_plain, to_plain
from simulator.faults.plans import Fault, Injected, Step, StepFault
from simulator.faults.readings import Readings
from simulator.faults.requests import Request, Requests
from simulator.faults.starts import StartFault, Starts
from simulator.faults.steps import Steps

__all__ = [
    "KINDS",
    "AnswerLost",
    "ApiError",
    "ApiLimited",
    "ApiRefused",
    "ApiSlow",
    "DeploymentPaused",
    "DiskFull",
    "Duration",
    "Emitted",
    "EventLate",
    "EventLost",
    "EventTwice",
    "Events",
    "ExitLate",
    "Fault",
    "Faults",
    "FileDamaged",
    "Hang",
    "HeartbeatLost",
    "Injected",
    "Kill",
    "Layers",
    "LogNormal",
    "Longer",
    "NeverStarts",
    "NodeFails",
    "Nodes",
    "OutOfMemory",
    "ProcessKilled",
    "Raise",
    "Readings",
    "Redeployed",
    "Request",
    "Requests",
    "Return",
    "ReturnEarlier",
    "SlowStart",
    "StartFault",
    "Starts",
    "Step",
    "StepFault",
    "Steps",
    "TableAltered",
    "WarehouseLocked",
    "WorkerAway",
    "WorkerKilled",
    "WorkerLost",
    "draw",
    "duration_from_plain",
    "duration_of_plain",
    "from_plain",
    "lognormal",
    "to_plain",
    "watched",
]
