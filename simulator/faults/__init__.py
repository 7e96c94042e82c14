"""What may go wrong, and how long steps take: plans, drawn from one seed.

`plans.py` says what a fault is and when it strikes, `kinds/` what each kind does, `plain.py` how it is
kept as JSON; `durations.py` how long things take, `steps.py` applies both around a step's own code, and
`requests.py` says which requests to the API are struck.
It imports nothing that runs: a live engine uses it too.
"""

from simulator.faults.durations import Duration, LogNormal, draw, lognormal
from simulator.faults.injecting import Faults
from simulator.faults.kinds import (
    KINDS,
    AnswerLost,
    ApiError,
    ApiLimited,
    ApiRefused,
    ApiSlow,
    Hang,
    Kill,
    Longer,
    NeverStarts,
    OutOfMemory,
    Raise,
    Return,
    SlowStart,
    WorkerAway,
    WorkerKilled,
    WorkerLost,
)
from simulator.faults.plain import from_plain, to_plain
from simulator.faults.plans import Fault, Injected, Step, StepFault
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
    "Duration",
    "Fault",
    "Faults",
    "Hang",
    "Injected",
    "Kill",
    "LogNormal",
    "Longer",
    "NeverStarts",
    "OutOfMemory",
    "Raise",
    "Request",
    "Requests",
    "Return",
    "SlowStart",
    "StartFault",
    "Starts",
    "Step",
    "StepFault",
    "Steps",
    "WorkerAway",
    "WorkerKilled",
    "WorkerLost",
    "draw",
    "from_plain",
    "lognormal",
    "to_plain",
]
