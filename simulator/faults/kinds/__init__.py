"""The kinds of faults, a file for each."""

from simulator.faults.kinds.answer_lost import AnswerLost
from simulator.faults.kinds.api_error import ApiError
from simulator.faults.kinds.api_limited import ApiLimited
from simulator.faults.kinds.api_refused import ApiRefused
from simulator.faults.kinds.api_slow import ApiSlow
from simulator.faults.kinds.deployment_paused import DeploymentPaused
from simulator.faults.kinds.disk_full import DiskFull
from simulator.faults.kinds.event_late import EventLate
from simulator.faults.kinds.event_lost import EventLost
from simulator.faults.kinds.event_twice import EventTwice
from simulator.faults.kinds.exit_late import ExitLate
from simulator.faults.kinds.file_damaged import FileDamaged
from simulator.faults.kinds.hang import Hang
from simulator.faults.kinds.heartbeat_lost import HeartbeatLost
from simulator.faults.kinds.kill import Kill
from simulator.faults.kinds.longer import Longer
from simulator.faults.kinds.never_starts import NeverStarts
from simulator.faults.kinds.node_fails import NodeFails
from simulator.faults.kinds.out_of_memory import OutOfMemory
from simulator.faults.kinds.process_killed import ProcessKilled
from simulator.faults.kinds.raises import Raise
from simulator.faults.kinds.redeployed import Redeployed
from simulator.faults.kinds.returns import Return
from simulator.faults.kinds.returns_earlier import ReturnEarlier
from simulator.faults.kinds.slow_start import SlowStart
from simulator.faults.kinds.table_altered import TableAltered
from simulator.faults.kinds.warehouse_locked import WarehouseLocked
from simulator.faults.kinds.worker_away import WorkerAway
from simulator.faults.kinds.worker_killed import WorkerKilled
from simulator.faults.kinds.worker_lost import WorkerLost
from simulator.faults.plans import Fault

ALL: tuple[type[Fault], ...] = (
    *(Raise, Return, ReturnEarlier, Longer, Hang, Kill, OutOfMemory),
    *(ApiRefused, ApiError, ApiLimited, ApiSlow, AnswerLost),
    *(EventLost, EventLate, EventTwice, HeartbeatLost),
    *(FileDamaged, DiskFull, TableAltered, WarehouseLocked, DeploymentPaused, Redeployed),
    NodeFails,
    *(SlowStart, NeverStarts, ExitLate, WorkerAway, WorkerKilled, WorkerLost, ProcessKilled),
)
KINDS = {one.kind: one for one in ALL}
"""Each kind by the word for it in files."""

__all__ = [
    "KINDS",
    "AnswerLost",
    "ApiError",
    "ApiLimited",
    "ApiRefused",
    "ApiSlow",
    "DeploymentPaused",
    "DiskFull",
    "EventLate",
    "EventLost",
    "EventTwice",
    "ExitLate",
    "FileDamaged",
    "Hang",
    "HeartbeatLost",
    "Kill",
    "Longer",
    "NeverStarts",
    "NodeFails",
    "OutOfMemory",
    "ProcessKilled",
    "Raise",
    "Redeployed",
    "Return",
    "ReturnEarlier",
    "SlowStart",
    "TableAltered",
    "WarehouseLocked",
    "WorkerAway",
    "WorkerKilled",
    "WorkerLost",
]
