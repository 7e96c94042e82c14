"""What is ended on purpose, at the end of a simulation, has nothing to say: no traceback, no warning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class SimulationEnded(BaseException):
    """Raised inside flows that are still waiting when their simulation ends."""


@contextmanager
def in_silence() -> Iterator[None]:
    """Keep quiet about threads and tasks that end by SimulationEnded, and about what they leave undone.

    A pool's worker and an event loop report whatever ends them, and a coroutine that nobody has come to
    await warns.
    """
    loggers = [logging.getLogger(name) for name in ("concurrent.futures", "asyncio")]
    for logger in loggers:
        logger.addFilter(_of_another)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"coroutine '.*' was never awaited", RuntimeWarning)
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(_of_another)


def _of_another(record: logging.LogRecord) -> bool:
    """Whether a log record is of something else than the end of a simulation."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, SimulationEnded)
