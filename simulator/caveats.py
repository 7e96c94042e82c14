"""What a simulation could not show rightly, told once, by name, with the line of the user's code.

    caveats.tell("real time", "np.datetime64('now') shows the machine's time")

Nothing that cannot be virtual may be silently real: whoever notices it tells it here. It ends up in
`Simulation.caveats`, in the log of the run, after a failing test and in the results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from simulator.places import is_users, users_frame


@dataclass(frozen=True)
class Caveat:
    """One thing that a simulation could not show rightly.

    `kind`: a word or two that such things have in common, such as "real time".
    `message`: what is not right, and what would be.
    `where`: the place in the user's code, as "file.py:12"; empty if there is none.
    `run`: the name of the flow run in which it was noticed first; empty outside of runs.
    """

    kind: str
    message: str
    where: str = ""
    run: str = ""

    def __str__(self) -> str:
        noticed = [self.where, f"run {self.run!r}" if self.run else ""]
        place = ", ".join(filter(None, noticed))
        return f"{self.kind}: {self.message}" + (f" ({place})" if place else "")


class Caveats:
    """The caveats of one simulation, each once: the same thing at the same place is one.

    `run_of` names the flow run of the calling code, `heard` is called with each new caveat. `place_of`
    says where the flow of the calling code is written, as "file.py:12", empty if there is none: a task
    of a library's own has no line of the user's above it.
    """

    def __init__(
        self,
        run_of: Callable[[], str] = lambda: "",
        heard: Callable[[Caveat], None] = lambda _: None,
        place_of: Callable[[], str] = lambda: "",
    ) -> None:
        self._run_of = run_of
        self._place_of = place_of
        self._heard = heard
        self._told: dict[tuple[str, str, str], Caveat] = {}

    def __iter__(self) -> Iterator[Caveat]:
        return iter(tuple(self._told.values()))

    def tell(self, caveat: Caveat) -> None:
        key = (caveat.kind, caveat.message, caveat.where)
        if self._told.setdefault(key, caveat) is caveat:
            self._heard(caveat)

    def run_of_caller(self) -> str:
        return self._run_of()

    def place_of_caller(self) -> str:
        """The line of the user's code that whoever calls `tell` is in, or else where its flow is."""
        frame = users_frame(sys._getframe(2))
        here = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        return here if is_users(frame) else self._place_of()

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Let `tell` of this module reach these, for as long as a simulation is open."""
        global _current
        before, _current = _current, self
        try:
            yield
        finally:
            _current = before


def tell(kind: str, message: str, where: str | None = None, run: str | None = None) -> None:
    """Note something that the open simulation cannot show rightly. Without one, nothing happens.

    `where`, "file.py:12", is by default the innermost line of the user's code that the calling
    thread is in, or else where its flow is written; `run`, the name of a flow run, the one that the
    calling code belongs to.
    """
    told = _current
    if told is None:
        return
    if where is None:
        where = told.place_of_caller()
    told.tell(Caveat(kind, message, where, told.run_of_caller() if run is None else run))


_current: Caveats | None = None
