"""Notes when work pools and work queues are paused, and until when, as the server's events tell it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from simulator.history import Journal, Note
from simulator.server.event_faults import Deliver

_KINDS = {"prefect.work-pool": "work pool", "prefect.work-queue": "work queue"}
"""What their events begin with. The last part is their status."""

_OPEN = ("ready", "not-ready")


class Pauses:
    """Looks at each event before the faults do, and hands it on by `carry_on`."""

    def __init__(
        self,
        now: Callable[[], datetime],
        journal: Journal,
        carry_on: Callable[[bytes, Deliver, Deliver], Awaitable[None]],
    ) -> None:
        self._now = now
        self._journal = journal
        self._carry_on = carry_on
        self._paused: dict[str, Note] = {}

    async def carry(self, data: bytes, publish: Deliver, deliver: Deliver) -> None:
        """Take an event, as JSON, to those who listen."""
        if b'"prefect.work-' in data:
            self._see(data)
        await self._carry_on(data, publish, deliver)

    def _see(self, data: bytes) -> None:
        event = json.loads(data)
        about, _, status = event["event"].rpartition(".")
        if about not in _KINDS:
            return
        of = {one.get("prefect.resource.role"): one for one in event["related"]}
        pool = of.get("work-pool", {}).get("prefect.resource.name")
        name = event["resource"].get("prefect.resource.name")
        gate = f"{_KINDS[about]} {name if about == 'prefect.work-pool' else f'{pool}/{name}'}"
        if status == "paused" and gate not in self._paused:
            self._paused[gate] = self._journal.note("paused", gate)
        elif status in _OPEN and gate in self._paused:
            self._journal.replace(replace(self._paused.pop(gate), until=self._now()))
