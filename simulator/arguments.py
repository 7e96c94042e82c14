"""What users may pass, checked: instants and names."""

from __future__ import annotations

import difflib
import gc
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from simulator.errors import SimulationError, UnsupportedOperation


def instant(what: str, given: datetime | str) -> datetime:
    """An aware UTC instant, from an aware datetime or ISO 8601 text with an offset.

    Raises SimulationError, naming `what`, for anything else.
    """
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise SimulationError(
                f"{what}={given!r} is no ISO 8601 instant, such as '2026-01-01T00:00:00Z'"
            ) from None
    if given.tzinfo is None:
        raise SimulationError(
            f"{what}={given.isoformat()} is naive: give it an offset, such as 'Z' for UTC"
        )
    return given.astimezone(UTC)


def unknown(what: str, name: str, known: Iterable[str]) -> SimulationError:
    """The error about an unknown name, with the nearest known one, if any is near."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    near = f": did you mean {matches[0]!r}?" if matches else ""
    return SimulationError(f"no {what} {name!r}{near}")


def step_name(name: str, known: Mapping[str, bool]) -> str:
    """A name of `step_names`; SimulationError if it is none, or if that step yields."""
    if name not in known:
        raise unknown("flow or task named", name, known)
    if known[name]:
        raise UnsupportedOperation(
            f"{name!r} yields: Prefect runs its code where nothing can be added to it;"
            " give the duration or the fault to a task that it calls instead"
        )
    return name


def step_names() -> dict[str, bool]:
    """The names of all flows and tasks that exist in this process, and which of them yield."""
    from prefect import Flow, Task

    kinds = {Flow, Task, *_subclasses(Flow), *_subclasses(Task)}
    # Who refers to a class: its instances do. (`gc.get_objects` would hand out half-made tuples of
    # other threads, and break them.)
    steps = [thing for thing in gc.get_referrers(*kinds) if type(thing) in kinds]
    return {step.name: step.isgenerator for step in steps}


def _subclasses(kind: type) -> Iterator[type]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
