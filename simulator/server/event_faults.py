"""What a fault of events does to one event, on its way through the server's broker."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from prefect.server.events.schemas.events import ReceivedEvent

from simulator.clock import VirtualClock
from simulator.faults import Emitted, Events
from simulator.history import Journal
from simulator.patches.prefect.client import prefect_now

Deliver = Callable[[bytes], Awaitable[None]]
"""Hands an event to all who listen."""

_RUN = "prefect.flow-run."


class EventFaults:
    """Strikes events, and notes it. `spawn(name, work)` starts work on the server's loop."""

    def __init__(
        self,
        events: Events,
        journal: Journal,
        clock: VirtualClock,
        spawn: Callable[[str, Callable[[], Awaitable[Any]]], None],
    ) -> None:
        self._events = events
        self._journal = journal
        self._clock = clock
        self._spawn = spawn

    async def carry(self, data: bytes, publish: Deliver, deliver: Deliver) -> None:
        """Take an event, as JSON, to those who listen, or not. `publish` drops what it has published
        before, `deliver` does not.
        """
        if not self._events.faults:
            return await publish(data)
        emitted = _emitted(json.loads(data))
        found = self._events.struck(emitted)
        if found is None:
            return await publish(data)
        injected, draw, fate = found
        self._journal.note(
            "fault",
            str(injected.fault),
            run_id=emitted.run_id,
            details={
                "fault": injected.number,
                "target": injected.fault.target,
                "draw": draw,
                "event": emitted.event,
            },
        )
        if fate.lost:
            return None
        if fate.twice:
            await publish(data)

        def arrives() -> None:
            self._spawn(f"event {emitted.event}", lambda: deliver(_received_now(data)))

        self._clock.call_later(fate.seconds, arrives)
        return None


def _emitted(event: Mapping[str, Any]) -> Emitted:
    named = {one.get("prefect.resource.role"): one for one in event["related"]}
    flow = named.get("flow", {}).get("prefect.resource.name")
    for resource in (event["resource"], named.get("flow-run", {})):
        kind, _, run_id = resource.get("prefect.resource.id", "").rpartition(".")
        if f"{kind}." == _RUN:
            return Emitted(event["event"], flow, UUID(run_id))
    return Emitted(event["event"], flow, None)


def _received_now(data: bytes) -> bytes:
    event = ReceivedEvent.model_validate_json(data)
    return event.model_copy(update={"received": prefect_now()}).model_dump_json().encode()
