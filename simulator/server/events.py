"""The events that the server has received, written into its database when somebody reads them.

Prefect's event persister writes what waits every few seconds, and a full batch at once. Whoever reads
events sees what it would have written by then, and no more; what nobody reads is not written. Until
then they are kept packed, and they are written piece by piece: each piece is a step of its own for
whoever waits, however busy the machine is.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from prefect.server.database import provide_database_interface
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.events.storage.database import write_events
from prefect.server.utilities.messaging import Message, MessageHandler

from simulator.clock import VirtualClock

PIECE = 100
"""So many events are packed, and written, together. One takes a millisecond or two to write."""


class EventLog:
    """What the event persister has received. To be used on the server's loop, in a turn."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._began = clock.instant
        self._batch: int
        self._period: int  # microseconds
        self._periods = 0
        self._received: list[bytes] = []
        self._due: list[bytes] = []  # the persister would have written them
        self._packed: list[bytes] = []  # and these before them; a line of JSON for each

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
        self._pack(1)
        while self._packed:
            with self._clock.holding(f"{PIECE} events that are being written"):
                await _write(zlib.decompress(self._packed[0]).split(b"\n"))
            del self._packed[0]

    async def _take(self, message: Message) -> None:
        self._look_at_the_clock()
        if message.data:
            data = message.data
            self._received.append(data.encode() if isinstance(data, str) else data)
        if len(self._received) >= self._batch:
            self._flush()

    def _look_at_the_clock(self) -> None:
        periods = (self._clock.instant - self._began) // self._period
        if periods != self._periods:
            self._periods = periods
            self._flush()

    def _flush(self) -> None:
        self._due += self._received
        self._received.clear()
        self._pack(PIECE)

    def _pack(self, least: int) -> None:
        while len(self._due) >= least:
            piece, self._due = self._due[:PIECE], self._due[PIECE:]
            self._packed.append(zlib.compress(b"\n".join(piece), 1))


async def _write(texts: list[bytes]) -> None:
    events = [ReceivedEvent.model_validate_json(text) for text in texts]
    database = provide_database_interface()
    async with database.session_context(begin_transaction=True) as session:
        await write_events(session=session, events=events)
