"""Lets a result be read once it has been written, and not in a race with it.

Prefect 3.8 and 3.9 write a result after the state that announces it, and after its event: whoever waits
for the state may come too early, and reads again in a quarter of a second (`prefect.states`). Which of
two threads of one instant the operating system lets go first would decide how long a wait takes.
`tests/patches/test_patches_results.py` fails without this, and when Prefect no longer reads again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import prefect.states as prefect_states

from simulator.clock import VirtualClock

Read = Callable[..., Awaitable[Any]]


def reading_settled(clock: VirtualClock) -> tuple[Any, str, Read]:
    """The patch: who finds no result lets everybody else of that instant go first, and reads again."""
    name = "_get_state_result_data_with_retries"
    read: Read = getattr(prefect_states, name)

    async def read_settled(state: Any, retry_result_failure: bool = True) -> Any:
        try:
            return await read(state, retry_result_failure=False)
        except Exception:
            if not retry_result_failure:
                raise
        await _all_others(clock)
        return await read(state, retry_result_failure=True)

    return prefect_states, name, read_settled


async def _all_others(clock: VirtualClock) -> None:
    """Wait until nothing else can run at this instant."""
    loop = asyncio.get_running_loop()
    quiet: asyncio.Future[None] = loop.create_future()

    def go_on() -> None:
        if not quiet.done():
            quiet.set_result(None)

    def wake() -> None:
        loop.call_soon_threadsafe(go_on)

    clock.call_later(0, wake)
    await quiet
