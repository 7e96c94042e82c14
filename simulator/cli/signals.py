"""Ctrl-C and SIGTERM while a command runs: everything is stopped, and kept."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM: everything is stopped and kept as after Ctrl-C."""


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Within it SIGTERM raises, so that no process is left behind and the results are kept."""

    def terminated(*_: object) -> None:
        raise Terminated

    with _handled(terminated, signal.SIGTERM):
        yield


@contextmanager
def signals_later() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM until the end: DuckDB makes an error of its own out of them."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)

    try:
        with _handled(note, signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _handled(handler: Callable[..., None], *numbers: signal.Signals) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, handling in before:
            signal.signal(number, handling)
