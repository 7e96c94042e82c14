"""The patch that makes a work pool when a script that deploys asks for one that is not there.

Prefect 3.8 and 3.9. `flow.deploy` reads the pool and refuses what nobody has made. Elsewhere somebody
has. A test stands in `tests/project/test_own_path.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import BaseWorker

from simulator.patches.replacing import replacing


@contextmanager
def made_when_asked_for(worker: type[BaseWorker[Any, Any, Any]]) -> Iterator[None]:
    """Let every work pool that is read be there, for workers of a class."""
    read, read_sync = PrefectClient.read_work_pool, SyncPrefectClient.read_work_pool

    def new(name: str) -> WorkPoolCreate:
        template = worker.get_default_base_job_template()
        return WorkPoolCreate(name=name, type=worker.type, base_job_template=template)

    async def read_work_pool(self: PrefectClient, work_pool_name: str) -> Any:
        try:
            return await read(self, work_pool_name)
        except ObjectNotFound:
            await self.create_work_pool(new(work_pool_name))
            return await read(self, work_pool_name)

    def read_work_pool_sync(self: SyncPrefectClient, work_pool_name: str) -> Any:
        try:
            return read_sync(self, work_pool_name)
        except ObjectNotFound:
            self.create_work_pool(new(work_pool_name))
            return read_sync(self, work_pool_name)

    with replacing(
        [
            (PrefectClient, "read_work_pool", read_work_pool),
            (SyncPrefectClient, "read_work_pool", read_work_pool_sync),
        ]
    ):
        yield
