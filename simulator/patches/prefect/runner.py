"""The parts of Prefect's own runner that the worker here is made of. Prefect 3.8 and 3.9.

None of them is replaced: `simulator.worker` lets these classes poll, count slots, start and end
processes, and report, as a process worker does. But Prefect keeps them to itself, so that a release may
move them: they stand here, where all that Prefect does not promise does. `tests/worker` runs them.
"""

from prefect.runner._cancellation_manager import CancellationManager
from prefect.runner._control_channel import ControlSignalStatus
from prefect.runner._deployment_registry import DeploymentRegistry
from prefect.runner._event_emitter import EventEmitter
from prefect.runner._flow_run_executor import FlowRunExecutor
from prefect.runner._hook_runner import HookRunner
from prefect.runner._limit_manager import LimitManager
from prefect.runner._process_manager import ProcessHandle, ProcessManager
from prefect.runner._scheduled_run_poller import ScheduledRunPoller
from prefect.runner._state_proposer import StateProposer

__all__ = [
    "CancellationManager",
    "ControlSignalStatus",
    "DeploymentRegistry",
    "EventEmitter",
    "FlowRunExecutor",
    "HookRunner",
    "LimitManager",
    "ProcessHandle",
    "ProcessManager",
    "ScheduledRunPoller",
    "StateProposer",
]
