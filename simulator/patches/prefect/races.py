"""The patch that lets the seed decide what is a race in real life.

Prefect 3.8 and 3.9. A flow that submits a task and returns at once cancels it: the task completes if its
thread is quick enough to get to its code before the flow gets to its end. On a live server 27 of 40 did.
Here nothing is quick or slow, and all of them would crash. `tests/patches/test_races.py` fails then.
"""

from __future__ import annotations

import inspect
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.task_engine import BaseTaskRunEngine

from simulator import caveats
from simulator.clock import VirtualClock
from simulator.instants import to_micros
from simulator.patches.replacing import replacing

QUICK_ENOUGH = 0.675
"""How often the task wins."""


@contextmanager
def decided(clock: VirtualClock, seed: int) -> Iterator[None]:
    """Decide by `seed` whether a task that its flow leaves behind is quick enough."""
    is_cancelled: Callable[[Any], bool] = BaseTaskRunEngine.is_cancelled
    numbers: Counter[str] = Counter()

    def wins(engine: Any) -> bool:
        name = engine.task.name
        numbers[name] += 1
        return random.Random(f"{seed}/race/{name}/{numbers[name]}").random() < QUICK_ENOUGH

    def is_cancelled_by_chance(engine: Any) -> bool:
        if not is_cancelled(engine):
            return False
        began = engine.task_run and engine.task_run.expected_start_time
        if not began or clock.timeline.instant_of(to_micros(began)) != clock.instant:
            return True  # it came when all was over, or had to wait for something
        won = wins(engine)
        # The function of a task may be a flow, or an object that can be called.
        code = getattr(inspect.unwrap(engine.task.fn), "__code__", None)
        end = "completes" if won else "crashes"
        caveats.tell(
            "race",
            f"the flow returned at once and left {engine.task_run.name!r} ({engine.task_run.id})"
            f" behind: in real life it completes or crashes by chance, and with this seed it {end};"
            " wait for its future",
            where="" if code is None else f"{code.co_filename}:{code.co_firstlineno}",
        )
        return not won

    replaced: list[tuple[Any, str, Any]] = [
        (BaseTaskRunEngine, "is_cancelled", is_cancelled_by_chance),
    ]
    with replacing(replaced):
        yield
