"""Prefect's SQLite database on virtual time: what the server in this process keeps its records in.

Prefect 3.8 and 3.9, aiosqlite 0.21 and 0.22. `tests/patches/test_patches.py` holds a test for each patch
that fails when it is no longer needed.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

import aiosqlite.core
from prefect.server.database import configurations as prefect_databases
from prefect.server.database import dependencies as prefect_dependencies
from prefect.server.utilities.database import get_dialect
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction
from sqlalchemy.util import LRUCache

from simulator.patches.replacing import replacing


class VirtualSqlite(prefect_databases.AioSqliteConfiguration):
    """Prefect's SQLite configuration on virtual time.

    - Every engine compiles its statements anew: a tenth of the time of a short simulation. The text of
      a statement belongs to a dialect, so all engines share one, and what was compiled for it.
    - "database is locked" comes from DEFERRED transactions that turn to writing after somebody else
      has written; no busy time-out helps, and the client backs off for seconds. IMMEDIATE ones wait.
      What another session begins meanwhile begins as Prefect has it: where it only reads, as for the
      event of a work queue that is paused, it would wait for ever for the one that it is a part of.
    """

    dialect: ClassVar[Dialect | None] = None
    compiled: ClassVar[LRUCache[Any, Any]] = LRUCache(1000)

    async def engine(self) -> AsyncEngine:
        engine = await super().engine()
        if engine.dialect is not VirtualSqlite.dialect:
            VirtualSqlite.dialect = VirtualSqlite.dialect or engine.dialect
            engine.sync_engine.dialect = VirtualSqlite.dialect
            engine.sync_engine.update_execution_options(compiled_cache=VirtualSqlite.compiled)
        return engine

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            if with_for_update:
                yield transaction
                return
            await session.connection()  # which says BEGIN
            before = prefect_databases.SQLITE_BEGIN_MODE.set("DEFERRED")
            try:
                yield transaction
            finally:
                prefect_databases.SQLITE_BEGIN_MODE.reset(before)


@contextmanager
def database(url: str) -> Iterator[VirtualSqlite]:
    """Make `url` the server's database. Prefect keeps one interface for the whole process."""
    dependencies: Any = prefect_dependencies.MODELS_DEPENDENCIES
    before = dict(dependencies)
    configuration = VirtualSqlite(connection_url=url)
    dependencies.update(
        database_config=configuration,
        query_components=None,
        orm=before["orm"],
        interface_class=None,
    )
    inline: list[tuple[Any, str, Any]] = [
        # Every statement would cross to a thread of the connection's own and back; turns are taken
        # anyway. Half of the server's time went there.
        (aiosqlite.core, "SimpleQueue", _InlineQueue),
        (aiosqlite.core, "Thread", _NoThread),
        # Several times for each request, the URL of the database is parsed.
        (prefect_dependencies, "get_dialect", functools.cache(get_dialect)),
    ]
    try:
        with replacing(inline):
            yield configuration
    finally:
        dependencies.clear()
        dependencies.update(before)


class _InlineQueue:
    """Where `aiosqlite` puts its calls for a thread: makes them at once."""

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = item
        try:
            result = function()
        except BaseException as error:
            if future is None:
                raise
            future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class _NoThread:
    """In place of the thread that would make them."""

    daemon = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def start(self) -> None:
        pass
