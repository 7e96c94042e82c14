"""Prefect's in-memory message broker, with every message counted.

Named in Prefect's own setting `PREFECT_MESSAGING_BROKER`. Task-run states, and whatever an
automation reacts to, travel as messages inside the server. A message holds the clock from the moment
it is published until every consumer has handled it; what a handler publishes in turn holds it again.

Handlers take the server's turn like requests do: one at a time, in the order of arrival.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Protocol

from prefect.server.utilities.messaging import Message, MessageHandler, StopConsumer
from prefect.server.utilities.messaging.memory import (
    Cache,
    MemoryMessage,
    Subscription,
    Topic,
    break_topic,
    ephemeral_subscription,
)
from prefect.server.utilities.messaging.memory import Consumer as MemoryConsumer
from prefect.server.utilities.messaging.memory import Publisher as MemoryPublisher

__all__ = ["Cache", "Consumer", "Publisher", "break_topic", "ephemeral_subscription"]


Deliver = Callable[[bytes], Awaitable[None]]
Carry = Callable[[bytes, Deliver, Deliver], Awaitable[None]]
"""Take an event along by `publish`, which drops what it has published before, or by `deliver`."""


async def carry(data: bytes, publish: Deliver, deliver: Deliver) -> None:
    """Take an event along as it is."""
    await publish(data)


class Ledger(Protocol):
    """Where the broker reports what is on its way: the server."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """One request or message at a time."""

    def delivering(self, topic: str) -> Callable[[], None]:
        """Take note of a message, and hold the clock until the returned function is called."""

    def consuming(self) -> None:
        """Take note of a consumer that has subscribed and begun to listen."""

    @property
    def carry(self) -> Carry:
        """Takes each event to those who listen."""


_ledger: Ledger | None = None

of_this_context: ContextVar[Ledger | None] = ContextVar("of_this_context", default=None)
"""The server to which the services of the calling context belong. One that hung while it started may
go on when another has taken its place: it must not listen to that one's messages.
"""


def use(ledger: Ledger | None) -> None:
    """Report to `ledger` from now on; None ends it and forgets the topics."""
    global _ledger
    _ledger = ledger
    if ledger is None:
        Topic.clear_all()


class Publisher(MemoryPublisher):
    """Prefect's publisher. Every event passes it, whoever has emitted it: faults strike events here."""

    async def publish_data(self, data: bytes, attributes: Mapping[str, str]) -> None:
        published = super().publish_data

        async def publish(data: bytes) -> None:
            await published(data, attributes)

        async def deliver(data: bytes) -> None:
            await self.topic.publish(MemoryMessage(data, attributes))

        if _ledger is None or self.topic.name != "events":
            await publish(data)
        else:
            await _ledger.carry(data, publish, deliver)


class CountedSubscription(Subscription):
    """A subscription whose unhandled messages hold the clock."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self._pending: dict[int, Callable[[], None]] = {}

    async def deliver(self, message: MemoryMessage) -> None:
        if _ledger is not None:
            self._pending[id(message)] = _ledger.delivering(self.topic.name)
        await super().deliver(message)

    async def retry(self, message: MemoryMessage) -> None:
        await super().retry(message)
        if message.retry_count > self.max_retries:
            self.handled(message)

    def handled(self, message: Message) -> None:
        settle = self._pending.pop(id(message), None)
        if settle is not None:
            settle()

    def close(self) -> None:
        """Let go of what nobody will handle any more."""
        while self._pending:
            self._pending.popitem()[1]()


class Consumer(MemoryConsumer):
    """Prefect's consumer, one message at a time, telling when each has been handled."""

    def __init__(
        self,
        topic: str,
        subscription: Subscription | None = None,
        concurrency: int = 1,
        **kwargs: Any,
    ) -> None:
        if of_this_context.get() is not _ledger:
            raise RuntimeError("the server of this service has ended")
        if subscription is None:
            # `Topic.subscribe` makes plain subscriptions and takes no class.
            owner = Topic.by_name(topic)
            subscription = CountedSubscription(owner)
            owner._subscriptions.append(subscription)
        super().__init__(topic, subscription=subscription, concurrency=concurrency, **kwargs)

    async def run(self, handler: MessageHandler) -> None:
        subscription = self.subscription
        if _ledger is None or not isinstance(subscription, CountedSubscription):
            await super().run(handler)
            return
        ledger = _ledger

        async def counted(message: Message) -> None:
            try:
                async with ledger.turn():
                    await handler(message)
            except StopConsumer:
                subscription.handled(message)
                raise
            subscription.handled(message)

        ledger.consuming()
        await super().run(counted)

    async def cleanup(self) -> None:
        await super().cleanup()
        if isinstance(self.subscription, CountedSubscription):
            self.subscription.close()
