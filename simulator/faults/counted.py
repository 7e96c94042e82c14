"""Faults of what happens again and again, requests and events: which of them strikes one now."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from simulator.faults.plans import Injected


class CountedFaults:
    """Faults of one sort, asked for each thing that they may strike, in order."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._mutex = threading.Lock()
        self._numbers: Counter[int] = Counter()
        self._draws: Counter[tuple[int, str]] = Counter()
        self.faults: list[Injected] = []

    def strike(self, injected: Injected) -> None:
        """Take note of a fault."""
        self.faults.append(injected)

    def strikes_now(self, thing: Any, key: str) -> tuple[Injected, float, Random] | None:
        """The fault that strikes `thing` now, its draw, and dice for what comes of it.

        Each fault counts all that it concerns, whatever else strikes it, and draws by `key` and for the
        how-manieth time. Of several that strike, it is the one that was injected first.
        """
        first = None
        now = self._now()
        with self._mutex:
            for injected in self.faults:
                fault = injected.fault
                if not fault.concerns(thing):
                    continue
                number = self._numbers[injected.number]
                self._numbers[injected.number] += 1
                if not fault.within(now) or (fault.on is not None and number not in fault.on):
                    continue
                self._draws[injected.number, key] += 1
                dice = injected.dice(f"{key}/{self._draws[injected.number, key]}")
                if (draw := dice.random()) < fault.probability and first is None:
                    first = injected, draw, dice
        return first
