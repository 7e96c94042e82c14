"""What the tests of waits share. Prefect is not imported before the session has its profile."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from datetime import UTC, datetime

import pytest


@pytest.fixture
def run():
    """Call a function in a counted thread, to its end. Returns how many virtual seconds it took."""
    from simulator.clock import VirtualClock, join_counted, start_counted
    from simulator.closing import SimulationEnded
    from simulator.instants import to_micros
    from simulator.patches import stdlib

    start = datetime(2026, 1, 5, tzinfo=UTC)
    clock = VirtualClock(start, stall_limit=20)

    def run(call):
        ended = []

        def target():
            try:
                result = call()
                if asyncio.iscoroutine(result):
                    asyncio.run(result)
                ended.append(None)
            except BaseException as error:
                ended.append(error)

        thread = threading.Thread(target=target, daemon=True)
        start_counted(thread, clock)
        clock.drive(None, done=lambda: bool(ended))
        if ended[0] is not None:
            raise ended[0]
        return (clock.instant - to_micros(start)) / 1e6

    with stdlib.installed(clock, contextvars.copy_context()):
        yield run
        clock.close(SimulationEnded)
        assert not join_counted(clock, background=False)
