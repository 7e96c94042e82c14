"""The real Prefect server in this process: its API, its database, its services, its events.

Prefect's own code, served on a thread and driven at virtual instants. It may import `patches`,
`process` and `clock`. Open `server.py` first, then `services.py`.
"""

from simulator.server import settings
from simulator.server.calls import Calls
from simulator.server.caveats import caller, log_caveat, run_id_of_caller, run_of_caller
from simulator.server.event_faults import EventFaults
from simulator.server.faults import RequestFaults, asking, routes
from simulator.server.observers import Cancellations, Suspensions
from simulator.server.pauses import Pauses
from simulator.server.polls import DeploymentPolls
from simulator.server.server import Server, application
from simulator.server.services import background_services
from simulator.server.states import StatesOfRuns
from simulator.server.task_runs import TaskRuns
from simulator.server.template import database_template
from simulator.server.transport import AsyncTransport, Transport

__all__ = [
    "AsyncTransport",
    "Calls",
    "Cancellations",
    "DeploymentPolls",
    "EventFaults",
    "Pauses",
    "RequestFaults",
    "Server",
    "StatesOfRuns",
    "Suspensions",
    "TaskRuns",
    "Transport",
    "application",
    "asking",
    "background_services",
    "caller",
    "database_template",
    "log_caveat",
    "routes",
    "run_id_of_caller",
    "run_of_caller",
    "settings",
]
