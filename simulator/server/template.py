"""A migrated, empty Prefect database, made once for each version of Prefect and kept in a cache."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import threading
from datetime import datetime
from pathlib import Path

import prefect
from prefect.server.database import provide_database_interface
from prefect.settings import temporary_settings

from simulator.errors import SimulationError
from simulator.patches.prefect.database import database as served_from


def cache_folder() -> Path:
    """Where the migrated database is kept: `$PREFECT_SIMULATOR_CACHE`, or the user's cache."""
    if chosen := os.environ.get("PREFECT_SIMULATOR_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "prefect-simulator"


def database_template() -> Path:
    """A migrated, empty Prefect database for this Prefect version, made on first use.

    Raises SimulationError if the cache folder cannot be written.
    """
    template = cache_folder() / f"prefect-{prefect.__version__}.db"
    if template.exists():
        return template
    try:
        template.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=template.parent))
    except OSError as error:
        raise SimulationError(
            f"cannot write the cache folder {str(template.parent)!r} ({error.strerror}):"
            " set PREFECT_SIMULATOR_CACHE to a folder that can be written"
        ) from None
    try:
        url = f"sqlite+aiosqlite:///{folder / 'prefect.db'}"
        thread = threading.Thread(target=_migrate, args=(url,), name="migrations")
        thread.start()
        thread.join()
        with sqlite3.connect(folder / "prefect.db") as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
        (folder / "prefect.db").replace(template)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return template


def _migrate(url: str) -> None:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    async def migrate() -> None:
        await provide_database_interface().create_db()

    with (
        temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}),
        served_from(url, now=lambda: datetime.now().astimezone()),
    ):
        asyncio.run(migrate())
