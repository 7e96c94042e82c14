"""A reason why time may not move."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

from simulator.clock.standing import standing_at

if TYPE_CHECKING:
    from simulator.clock.waits import Wait


class Mortal(Protocol):
    """What may die with all its threads: a process that is simulated by some of them.

    `context` is what its threads begin with, if that is not the simulation's own.
    """

    dead: bool
    context: Context | None


class Hold:
    """One reason why time may not move now.

    `ident` is the thread that stands behind it, if any. A `background` thread serves the others: it
    is asked to end after them, and not interrupted. A thread of a dead `process` stays parked until
    the clock is closed, whatever it waits for. `calls` are made by the thread where it waits next.
    One that only `asks`, such as a request, says by itself nothing about progress. `waits` are those
    that the thread is in the middle of, the innermost last: a tracer or a finalizer may wait for a lock
    within a wait, and the thread holds the clock again only when the innermost has ended. A thread that
    `idles` does the same again and again as long as others live: its waits keep nobody going.
    """

    __slots__ = ("asks", "background", "calls", "ident", "idles", "name", "process", "waits")

    def __init__(
        self,
        name: str,
        ident: int | None = None,
        background: bool = False,
        process: Mortal | None = None,
        asks: bool = False,
    ) -> None:
        self.asks = asks
        self.name = name
        self.ident = ident
        self.background = background
        self.idles = False
        self.process = process
        self.calls: list[Callable[[], object]] = []
        self.waits: list[Wait] = []

    @property
    def dead(self) -> bool:
        return self.process is not None and self.process.dead

    def __repr__(self) -> str:
        return f"{self.name}{standing_at(self.ident)}"
