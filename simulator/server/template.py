"""A migrated, empty Prefect database, made once for each version of Prefect and kept in a cache."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import prefect
from prefect.server.database import provide_database_interface
from prefect.settings import temporary_settings

from simulator.cache import cache_folder, digest, is_whole
from simulator.errors import SimulationError
from simulator.folders import throw_away
from simulator.patches.prefect.database import database as served_from


def database_template() -> Path:
    """A migrated, empty Prefect database for this Prefect version, made on first use.

    Its name holds the digest of its content: one that is damaged, cut short or half written is not
    what its name says, and is made anew. Raises SimulationError if the cache folder cannot be written.
    """
    cache = cache_folder()
    for template in sorted(cache.glob(f"prefect-{prefect.__version__}-*.db")):
        if is_whole(template):
            return template
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with throw_away("making-", cache) as folder:
            return _made(folder / "prefect.db", cache)
    except OSError as error:
        raise SimulationError(
            f"cannot write the cache folder {str(cache)!r} ({error.strerror}):"
            " set PREFECT_SIMULATOR_CACHE to a folder that can be written"
        ) from None


def _made(database: Path, cache: Path) -> Path:
    """Migrate the new file `database` and move it into the cache."""
    failed: list[BaseException] = []

    def migrate() -> None:
        try:
            _migrate(f"sqlite+aiosqlite:///{database}")
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=migrate, name="migrations")
    thread.start()
    thread.join()
    for error in failed:
        raise error
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    template = cache / f"prefect-{prefect.__version__}-{digest(database)}.db"
    for damaged in cache.glob(f"prefect-{prefect.__version__}*.db"):
        if damaged.is_dir():
            shutil.rmtree(damaged, ignore_errors=True)
        elif not is_whole(damaged):
            damaged.unlink(missing_ok=True)
    return database.replace(template)


def _migrate(url: str) -> None:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    async def migrate() -> None:
        await provide_database_interface().create_db()

    with (
        temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}),
        served_from(url),
    ):
        asyncio.run(migrate(), debug=False)
