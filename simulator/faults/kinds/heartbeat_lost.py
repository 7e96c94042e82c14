"""A heartbeat is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.events import HEARTBEAT
from simulator.faults.kinds.event_lost import EventLost


@dataclass(frozen=True, kw_only=True)
class HeartbeatLost(EventLost):
    """Heartbeats of flow runs do not arrive, while the runs are well. An automation that takes silence
    for death crashes them.
    """

    kind: ClassVar[str] = "heartbeat lost"

    event: str = HEARTBEAT

    @property
    def target(self) -> str:
        return f"heartbeats of {self.flow or 'all flows'}"

    def does(self) -> str:
        return f"loses {self.target}"
