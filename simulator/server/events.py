"""The events that the server has received, written into its database when somebody reads them.

Prefect's event persister writes what waits every few seconds, and a full batch at once. Whoever reads
events sees what it would have written by then, and no more; what nobody reads is not written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from prefect.server.database import provide_database_interface
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.events.storage.database import write_events
from prefect.server.utilities.messaging import Message, MessageHandler

from simulator.clock import VirtualClock

MOST = 10_000
"""So many events wait for a reader before they are written all the same."""


class EventLog:
    """What the event persister has received. To be used on the server's loop, in a turn."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._began = clock.instant
        self._batch: int
        self._period: int  # microseconds
        self._periods = 0
        self._received: list[str | bytes] = []
        self._due: list[str | bytes] = []  # the persister would have written them

    @asynccontextmanager
    async def handler(
        self, batch_size: int, flush_every: timedelta, **_: Any
    ) -> AsyncIterator[MessageHandler]:
        """As the persister's `create_handler`: what takes each of its messages."""
        self._batch = batch_size
        self._period = flush_every // timedelta(microseconds=1)
        yield self._take

    async def write(self) -> None:
        """Write what the persister would have written by now."""
        self._look_at_the_clock()
        if not self._due:
            return
        events = [ReceivedEvent.model_validate_json(text) for text in self._due]
        database = provide_database_interface()
        async with database.session_context(begin_transaction=True) as session:
            await write_events(session=session, events=events)
        self._due.clear()

    async def _take(self, message: Message) -> None:
        self._look_at_the_clock()
        if message.data:
            self._received.append(message.data)
        if len(self._received) >= self._batch:
            self._flush()
        if len(self._due) >= MOST:
            await self.write()

    def _look_at_the_clock(self) -> None:
        periods = (self._clock.instant - self._began) // self._period
        if periods != self._periods:
            self._periods = periods
            self._flush()

    def _flush(self) -> None:
        self._due += self._received
        self._received.clear()
