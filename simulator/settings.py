"""The Prefect settings of a simulation. The user's own profile is never read or written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prefect.settings as names
from prefect.logging.handlers import PrefectConsoleHandler

# Nothing listens there: the transport calls the server in this process. `.invalid` never resolves.
API_URL = "http://simulation.invalid/api"


def of_a_simulation(folder: Path) -> dict[Any, Any]:
    """Settings for `temporary_settings`; `folder` is the simulation's own."""
    return {
        names.PREFECT_HOME: folder,
        names.PREFECT_API_URL: API_URL,
        names.PREFECT_API_KEY: None,
        names.PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        names.PREFECT_API_BLOCKS_REGISTER_ON_START: False,
        names.PREFECT_LOCAL_STORAGE_PATH: folder / "storage",
        names.PREFECT_SERVER_ANALYTICS_ENABLED: False,
        names.PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
        names.PREFECT_LOGGING_TO_API_ENABLED: True,
        names.PREFECT_MESSAGING_BROKER: "simulator.broker",
        # A heartbeat costs a second of real time at the end of every sync flow run.
        names.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        # One event, one write: what has been handled has been written.
        names.PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE: 1,
        names.PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE: 1,
        # Streams for websockets, which nobody opens.
        names.PREFECT_API_EVENTS_STREAM_OUT_ENABLED: False,
        names.PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED: False,
    }


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keep the log lines of runs and workers off the console; the records of the runs have them.

    By a filter, not by a level: Prefect sets up its handlers' levels again and again.
    """
    handlers = [
        handler
        for name in (None, "prefect", "prefect.server", "prefect.extra")
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, PrefectConsoleHandler)
    ]
    for handler in handlers:
        handler.addFilter(_worth_showing)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_worth_showing)


def _worth_showing(record: logging.LogRecord) -> bool:
    if record.name.partition(".")[0] != "prefect":
        return True
    internal = record.name.startswith(("prefect._internal", "prefect.server"))
    return internal and record.levelno >= logging.ERROR
