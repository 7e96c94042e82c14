"""What `advance` shows on a terminal while it lasts: date, runs, speed, and how long it will take."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TextIO

from simulator.instants import Real

EVERY = 0.5
"""Real seconds from one look to the next, and to the first: what is over sooner shows nothing."""


_elsewhere: TextIO | None = None


@contextmanager
def drawn_on(terminal: TextIO | None) -> Iterator[None]:
    """Draw on `terminal` for the length of a `with` block, while standard error goes elsewhere."""
    global _elsewhere
    before, _elsewhere = _elsewhere, terminal
    try:
        yield
    finally:
        _elsewhere = before


class Progress:
    """One line on the terminal of standard error, drawn again and again. A source of the clock's events
    that never has one: it is asked whenever the world is quiet.
    """

    def __init__(self, now: Callable[[], datetime], database: sqlite3.Connection) -> None:
        self._now = now
        self._database = database
        self._until: datetime | None = None
        self._begun: tuple[datetime, float]
        self._next = 0.0
        self._drawn = False

    @contextmanager
    def until(self, instant: datetime) -> Iterator[None]:
        """Show how far it is to an instant, for the length of a `with` block."""
        if _terminal() is None:
            yield
            return
        self._until = instant
        self._begun = self._now(), Real.monotonic()
        self._next = self._begun[1] + EVERY
        try:
            yield
        finally:
            self._until = None
            if self._drawn:
                self._drawn = False
                _write("\r\x1b[K")

    def next_instant(self) -> None:
        """Look at the real clock, and draw if it is time."""
        if self._until is not None and Real.monotonic() >= self._next:
            self._drawn = True
            _write(f"\r\x1b[K{self._line(self._until)}")
            self._next = Real.monotonic() + EVERY

    def fire(self) -> None:
        """Never called: there is no next instant."""

    def _line(self, until: datetime) -> str:
        now, (began, started) = self._now(), self._begun
        elapsed = Real.monotonic() - started
        speed = (now - began).total_seconds() / elapsed
        (runs,) = self._database.execute(_BEGUN).fetchone()
        left = "" if not speed else f", {_in_words((until - now).total_seconds() / speed)} left"
        return f"{now:%Y-%m-%d %H:%M} UTC, {runs:,} runs, {speed:,.0f} s a second{left}"


_BEGUN = "select count(*) from flow_run where start_time is not null"


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = timedelta(seconds=round(seconds))
    return f"{whole // timedelta(minutes=1)} min {whole.seconds % 60:02d} s"


def _terminal() -> TextIO | None:
    if _elsewhere is not None:
        return _elsewhere
    return sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None


def _write(text: str) -> None:
    terminal = _terminal()
    try:
        if terminal is not None:
            terminal.write(text)
            terminal.flush()
    except (OSError, ValueError):
        pass  # it has gone
