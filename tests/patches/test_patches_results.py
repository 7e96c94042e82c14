"""A result is read once it has been written: what `simulator.patches.prefect.results` promises."""

from __future__ import annotations

import time
from datetime import timedelta

from prefect import flow
from prefect import states as prefect_states
from prefect.client.schemas.objects import State

from simulator import Simulation


class Late:
    """A result that is not there when it is first asked for."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self) -> str:
        self.asked += 1
        if self.asked == 1:
            raise FileNotFoundError("not written yet")
        return "here"


def test_who_comes_too_early_for_a_result_does_not_wait_for_a_quarter_of_a_second():
    seen = []

    @flow
    async def reads() -> None:
        began = time.monotonic()
        read = prefect_states._get_state_result_data_with_retries
        result = await read(State.model_construct(data=Late()))
        seen.append((result, timedelta(seconds=round(time.monotonic() - began, 2))))

    with Simulation() as sim:
        assert sim.run(reads).state == "Completed"
    assert seen == [("here", timedelta(0))]


def test_prefect_still_reads_again_by_itself():
    assert prefect_states.RESULT_READ_RETRY_DELAY == 0.25
