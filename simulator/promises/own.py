"""Promises that are functions of your own, and what must be seen at least once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from simulator.arguments import checked, kinds
from simulator.errors import SimulationError
from simulator.history import History, Note, RunRecord
from simulator.promises.promise import Break, Promise


class Moment:
    """A history as it stood at one instant, at which something happened. `now` is the instant."""

    def __init__(self, history: History, now: datetime) -> None:
        self._history = history
        self.now = now

    def runs(self, flow: str | None = None, *, state: str | None = None) -> list[RunRecord]:
        """The flow runs as they stood: of a flow, in a state by its name or type. Their tasks,
        children and parents are those of the end. Raises SimulationError for an unknown flow or state.
        """
        self._history.check_state(state)
        stood = (_stood(run, self.now) for run in self._history.runs(flow))
        return [
            run
            for run in stood
            if run is not None and (state is None or state in (run.state, run.state_type))
        ]

    @property
    def faults(self) -> list[Note]:
        """What faults have done so far."""
        notes = self._history.notes
        return [note for note in notes if note.kind == "fault" and note.at <= self.now]


Check = Callable[[Moment], Any]


@dataclass(frozen=True)
class _Always(Promise):
    function: Check

    def breaks(self, history: History) -> Iterator[Break]:
        instants = _instants(history)
        for at, until in zip(instants, [*instants[1:], history.now], strict=True):
            said = ""
            runs: tuple[RunRecord, ...] = ()
            try:
                returned = self.function(Moment(history, at))
            except AssertionError as error:
                returned, said = False, str(error).strip().partition("\n")[0]
            if isinstance(returned, Collection) and not isinstance(returned, str):
                runs = tuple(run for run in returned if isinstance(run, RunRecord))
                returned = not returned
            if returned is not None and not returned:
                yield Break(at, until, said or "it does not hold", runs)


@dataclass(frozen=True)
class _Sometimes(Promise):
    function: Check

    def breaks(self, history: History) -> Iterator[Break]:
        instants = _instants(history)
        if not any(self.function(Moment(history, at)) for at in instants):
            begin = instants[0] if instants else history.now
            yield Break(begin, history.now, "it was never seen")


@checked(name=kinds.text, check=kinds.anything)
def always(name: str, check: Check) -> Promise:
    """A promise of your own. `check(moment)` is called for each instant at which a run enters a state.

    It does not hold where `check` returns False, or a list of runs that is not empty (the ones that
    show it), or where an assert in it fails; None and True are as good as one another.
    """
    return _Always(name, _callable(check))


@checked(name=kinds.text, check=kinds.anything)
def sometimes(name: str, check: Check) -> Promise:
    """What must be seen at least once: `check(moment)` returns something true at one instant."""
    return _Sometimes(name, _callable(check))


def _callable(check: Any) -> Check:
    if not callable(check):
        raise SimulationError(f"check={check!r} must be a function of a Moment")
    return check  # type: ignore[no-any-return]


def _instants(history: History) -> list[datetime]:
    seen = {state.timestamp for run in history.runs() for state in run.states}
    return sorted(at for at in seen if at <= history.now) or [history.now]


def _stood(run: RunRecord, now: datetime) -> RunRecord | None:
    """A run as it stood at an instant; None if it was not there."""
    states = tuple(state for state in run.states if state.timestamp <= now)
    if not states:
        return None
    newest = states[-1]
    stood = replace(
        run,
        state=newest.name,
        state_type=newest.type,
        message=newest.message,
        states=states,
        start=run.start if run.start is not None and run.start <= now else None,
        end=None,
        run_count=sum(state.type == "RUNNING" for state in states),
    )
    return replace(stood, end=newest.timestamp) if stood.final else stood
