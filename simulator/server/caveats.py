"""Which flow run has met a caveat, and the line in its log that says so."""

from __future__ import annotations

from uuid import UUID

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from simulator.caveats import Caveat
from simulator.process import current_process


def run_of_caller() -> str:
    """The name of the flow run that the calling code belongs to; empty outside of runs."""
    run = _run_of_caller()
    return "" if run is None else run.name


def run_id_of_caller() -> UUID | None:
    """The id of the flow run that the calling code belongs to; None outside of runs."""
    run = _run_of_caller()
    return None if run is None else run.id


def _run_of_caller() -> FlowRun | None:
    context = FlowRunContext.get()
    return None if context is None else context.flow_run


def log_caveat(caveat: Caveat) -> None:
    """Warn in the log of the run that the calling code belongs to, if there is one."""
    try:
        logger = get_run_logger()
    except MissingContextError:
        return
    logger.warning("%s", caveat)


def caller() -> tuple[str, str]:
    """What the calling code is, such as "flow 'mails'", and where it is written, as "file.py:12"."""
    context = FlowRunContext.get()
    flow = None if context is None else context.flow
    if flow is not None:
        code = flow.fn.__code__
        return f"flow {flow.name!r}", f"{code.co_filename}:{code.co_firstlineno}"
    process = current_process()
    return (
        (f"the process {process.thread.name!r}", "")
        if process is not None
        else ("this process", "")
    )
