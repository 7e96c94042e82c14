"""Which flow run has met a caveat, and the line in its log that says so."""

from __future__ import annotations

from prefect.context import FlowRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from simulator.caveats import Caveat


def run_of_caller() -> str:
    """The name of the flow run that the calling code belongs to; empty outside of runs."""
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    return "" if run is None else run.name


def log_caveat(caveat: Caveat) -> None:
    """Warn in the log of the run that the calling code belongs to, if there is one."""
    try:
        logger = get_run_logger()
    except MissingContextError:
        return
    logger.warning("%s", caveat)
