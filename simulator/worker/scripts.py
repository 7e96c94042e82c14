"""What a script does with a flow: calls it, and keeps what it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import prefect
from prefect.exceptions import MissingResult

from simulator.engine import NOT_KEPT


def call_as_script(
    flow: prefect.Flow[..., Any], parameters: Mapping[str, Any]
) -> tuple[UUID | None, Any]:
    """Call a flow to its end, and one that yields until it has yielded everything.

    Returns the flow run, if it is known, and what has been returned; NOT_KEPT if it has not completed.
    """
    if flow.isgenerator:
        yielded: Any = flow(**parameters)
        return None, asyncio.run(_listed(yielded)) if flow.isasync else list(yielded)
    state: Any = flow(**parameters, return_state=True)
    if asyncio.iscoroutine(state):
        state = asyncio.run(state)
    run_id: UUID = state.state_details.flow_run_id
    if not state.is_completed():
        return run_id, NOT_KEPT
    try:
        return run_id, state.result()
    except MissingResult:  # it has returned a state of its own, without data
        return run_id, None


async def _listed(yielded: Any) -> list[Any]:
    return [one async for one in yielded]
