"""The patch that lets heartbeats end with their flow run.

Prefect 3.8 and 3.9. Between two heartbeats Prefect's thread sleeps a second at a time and looks whether
the run is over; the engine of a sync flow waits for it. Whoever called the flow goes on up to a second
later, by chance: where a flow takes whole seconds, it is decided by which of two threads has read the
clock first, and one seed had several histories. `tests/patches/test_heartbeats.py` fails without it.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow_engine
from prefect.flow_engine import BaseFlowRunEngine

from simulator.clock import counted


def ending_with_the_run() -> tuple[Any, str, Any]:
    """What replaces Prefect's heartbeats: the same ones at the same instants, and no wait at the end."""
    return (flow_engine, "_send_heartbeats", _send_heartbeats)


@contextmanager
def _send_heartbeats(
    engine: BaseFlowRunEngine[Any, Any],
    join_on_exit: bool = True,
) -> Iterator[None]:
    """Send heartbeats while the block lasts: one at once, then one every `heartbeat_seconds` seconds.

    Whether the engine waits for its thread at the end (`join_on_exit`) makes no difference here.
    """
    every = engine.heartbeat_seconds
    if every is None:
        yield
        return
    resource, related = engine._build_heartbeat_event_template()
    over = threading.Event()

    def beat() -> None:
        try:
            engine._emit_flow_run_heartbeat(resource, related)
        except Exception:
            engine.logger.debug("Failed to emit heartbeat", exc_info=True)

    def beats() -> None:
        # Or a flow that waits for ever would beat for ever, and never be told of.
        if (hold := counted()) is not None:
            hold.idles = True
        while not over.wait(every):
            run = engine.flow_run
            if run is not None and run.state is not None and run.state.is_final():
                return
            beat()

    # By the flow's own thread, which goes on when it is sent: which comes first is not left to chance.
    beat()
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(beats,), daemon=True, name="heartbeats"
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
