"""The Prefect settings of a simulation. Where the user's own would lead out of it, they do not hold."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prefect
import prefect.settings as names
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import Settings, get_current_settings
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from simulator.arguments import refused, shown, unknown

# Nothing listens there: the transport calls the server in this process. `.invalid` never resolves.
HOST = "simulation.invalid"
API_URL = f"http://{HOST}/api"

OURS = (
    "api", "cli", "client", "cloud", "events", "internal", "plugins", "runner", "server", "telemetry",
    "testing", "worker",
)  # fmt: skip
"""The groups of settings that say where a server is, and how it and its workers go about their work.

All of them are at Prefect's defaults. The user's own hold for what flows and tasks do: retries by
default, persistence of results, logging.
"""


def of_a_server() -> dict[Any, Any]:
    """Settings for `temporary_settings` of a server and its workers, with no place of its own."""
    return _defaults(Settings, OURS)


def of_a_simulation(folder: Path) -> dict[Any, Any]:
    """Settings for `temporary_settings`; `folder` is the simulation's own.

    They cover the user's profile, environment and `prefect.toml`, all of which come after them.
    """
    return {
        **of_a_server(),
        names.PREFECT_HOME: folder,
        names.PREFECT_PROFILES_PATH: folder / "profiles.toml",
        names.PREFECT_LOCAL_STORAGE_PATH: folder / "storage",
        names.PREFECT_MEMO_STORE_PATH: folder / "memo_store.toml",
        names.PREFECT_DEFAULT_RESULT_STORAGE_BLOCK: None,
        names.PREFECT_API_URL: API_URL,
        names.PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        names.PREFECT_API_BLOCKS_REGISTER_ON_START: False,
        names.PREFECT_SERVER_ANALYTICS_ENABLED: False,
        names.PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
        names.PREFECT_LOGGING_TO_API_ENABLED: True,
        names.PREFECT_MESSAGING_BROKER: "simulator.server.broker",
        # Streams for websockets, which nobody opens.
        names.PREFECT_API_EVENTS_STREAM_OUT_ENABLED: False,
        names.PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED: False,
    }


def beating(variables: Mapping[str, str]) -> bool:
    """Whether flow runs send heartbeats, by the settings or by the variables of their processes."""
    own = of_environment(variables).get(names.PREFECT_FLOWS_HEARTBEAT_FREQUENCY)
    return own is not None or get_current_settings().flows.heartbeat_frequency is not None


def for_children(folder: Path, this_machine_only: bool) -> dict[str, str]:
    """Environment variables that keep a real process, which a flow or a test starts, from the user's
    own profile, database and server. It finds nobody at the address. Where no other host may be reached,
    git fetches from none: the guard of the network does not reach into its process.
    """
    git = {"GIT_ALLOW_PROTOCOL": "file"} if this_machine_only else {}
    return git | {
        "PREFECT_API_URL": API_URL,
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'child.db'}",
    }


def named(changed: Mapping[str, Any]) -> dict[Any, Any]:
    """Settings for `temporary_settings`, given by the names of their environment variables.

    Raises SimulationError for a name that Prefect does not know, and for a value that it refuses.
    """
    known = [f"PREFECT_{path.upper().replace('.', '_')}" for path in _defaults(Settings)]
    for name in changed:
        if not name.startswith("PREFECT_") or not hasattr(names, name):
            raise unknown(f"setting of Prefect {prefect.__version__} named", name, known)
    settings = {getattr(names, name): value for name, value in changed.items()}
    for name, value in changed.items():
        try:
            get_current_settings().copy_with_update(updates={getattr(names, name): value})
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            raise refused(f"settings: {name}={shown(value)}: {said}") from None
    return settings


def of_environment(variables: Mapping[str, str]) -> dict[Any, Any]:
    """Settings for `temporary_settings` that the variables of a flow's process ask for.

    What Prefect does not know it does not read. Where the simulation is has been settled.
    """
    return {
        getattr(names, name): value
        for name, value in variables.items()
        if name.startswith("PREFECT_") and name not in SETTLED and hasattr(names, name)
    }


SETTLED = {
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_API_KEY",
    "PREFECT_API_URL",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED",
    "PREFECT_HOME",
    "PREFECT_LOGGING_TO_API_ENABLED",
    "PREFECT_MESSAGING_BROKER",
    "PREFECT_PROFILES_PATH",
}
"""What no process can have its own way."""


def _defaults(model: Any, only: tuple[str, ...] | None = None, path: str = "") -> dict[str, Any]:
    """Prefect's own values for every setting in a model, or in some of its groups."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        group = inspect.isclass(field.annotation) and issubclass(field.annotation, BaseSettings)
        if only is not None and name not in only:
            continue
        if group:
            found |= _defaults(field.annotation, None, f"{path}{name}.")
        elif not field.default_factory_takes_validated_data and not field.is_required():
            found[f"{path}{name}"] = field.get_default(call_default_factory=True)
    return found


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keep the log lines of runs and workers off the console; the records of the runs have them.

    By a filter, not by a level: Prefect sets up its handlers' levels again and again.
    """
    handlers = [
        handler
        for name in (None, "prefect", "prefect.server", "prefect.extra")
        for handler in logging.getLogger(name).handlers
        # Importing dbt gives the root logger a plain handler to the console. (pytest's are others.)
        if isinstance(handler, PrefectConsoleHandler) or type(handler) is logging.StreamHandler
    ]
    for handler in handlers:
        handler.addFilter(_worth_showing)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_worth_showing)


_PREFECT = str(Path(prefect.__file__).parent)


def _worth_showing(record: logging.LogRecord) -> bool:
    if record.name.partition(".")[0] != "prefect" and not record.pathname.startswith(_PREFECT):
        return True
    internal = record.name.startswith(("prefect._internal", "prefect.server"))
    return internal and record.levelno >= logging.ERROR
