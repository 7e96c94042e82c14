"""What time it is in a simulation, who keeps it from moving, and who waits for it to move.

It knows nothing of Prefect and patches nothing: `simulator.patches.stdlib` teaches Python's own
primitives to use it. It may import `instants` and `errors`. Open `virtual.py` first.
"""

from simulator.clock.grid import Candidate, GridLoop, GridLoops
from simulator.clock.holds import Hold, Mortal
from simulator.clock.locks import Locks, LockType, RLockType
from simulator.clock.loops import VirtualEventLoop, VirtualEventLoopPolicy, VirtualSelector
from simulator.clock.mutex import Gate, Mutex
from simulator.clock.peers import Peers, peers_of
from simulator.clock.real import (
    SOON,
    Asked,
    asked,
    expired,
    is_waiting_really,
    limit_waits,
    unlimit_waits,
    waiting_really,
)
from simulator.clock.standing import standing_at
from simulator.clock.virtual import VirtualClock
from simulator.clock.waiting import (
    counted,
    end_restless,
    join_counted,
    of_this_thread,
    start_counted,
    starting_background,
    wait_for,
    waiter,
)
from simulator.clock.waits import Source, Timer, Wait, tied

__all__ = [
    "SOON",
    "Asked",
    "Candidate",
    "Gate",
    "GridLoop",
    "GridLoops",
    "Hold",
    "LockType",
    "Locks",
    "Mortal",
    "Mutex",
    "Peers",
    "RLockType",
    "Source",
    "Timer",
    "VirtualClock",
    "VirtualEventLoop",
    "VirtualEventLoopPolicy",
    "VirtualSelector",
    "Wait",
    "asked",
    "counted",
    "end_restless",
    "expired",
    "is_waiting_really",
    "join_counted",
    "limit_waits",
    "of_this_thread",
    "peers_of",
    "standing_at",
    "start_counted",
    "starting_background",
    "tied",
    "unlimit_waits",
    "wait_for",
    "waiter",
    "waiting_really",
]
