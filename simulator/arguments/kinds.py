"""What one value may be.

A kind is called with the argument's name and what was given for it. It returns what the call shall
have of it, or raises a SimulationError in one line that names the argument, the value, and what would
be right.
"""

from __future__ import annotations

import math
import numbers
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from simulator.errors import SimulationError

Kind = Callable[[str, Any], Any]

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2262, 1, 1, tzinfo=UTC)
"""Where virtual time ends. Ids hold no instant before 1970, and 64 bits of nanoseconds (pandas, file
systems) none after April 2262.
"""


def refused(what: str) -> SimulationError:
    """The error about a wrong argument, in one line whatever was given."""
    return SimulationError(" ".join(what.split()))


def shown(given: object) -> str:
    """A value for an error: in one line, and not for longer than that."""
    text = " ".join(repr(given).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def wrong(what: str, given: object, right: str) -> SimulationError:
    """The error about the argument `what`, which must be `right`."""
    return refused(f"{what}={shown(given)} must be {right}")


# -- whatever --------------------------------------------------------------------------------------


def anything(what: str, given: Any) -> Any:  # noqa: ARG001
    """Whatever is given: somebody else looks at it."""
    return given


def optional(kind: Kind) -> Kind:
    """That kind, or None."""
    return lambda what, given: None if given is None else kind(what, given)


def several(kind: Kind) -> Kind:
    """One of that kind, or a list of them, which stays a list."""

    def check(what: str, given: Any) -> Any:
        if isinstance(given, list | tuple | set | frozenset):
            return [kind(what, one) for one in given]
        return kind(what, given)

    return check


def an(*types: type, right: str) -> Kind:
    """An instance of one of the types, said as `right`."""

    def check(what: str, given: Any) -> Any:
        if not isinstance(given, types) or (isinstance(given, bool) and bool not in types):
            raise wrong(what, given, right)
        return given

    return check


flag = an(bool, right="True or False")


# -- numbers ---------------------------------------------------------------------------------------


def number(
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    unit: str = "",
) -> Kind:
    """A finite number within these limits; `unit` is that of the argument."""
    limits = _limits(least, most, above)

    def check(what: str, given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, numbers.Real):
            raise wrong(what, given, f"a number{unit and f' of {unit}'}")
        value = int(given) if isinstance(given, numbers.Integral) else float(given)
        if not math.isfinite(value):
            raise refused(f"{what}={value} must be {limits or 'finite'}")
        if not _within(value, least, most, above):
            raise refused(f"{what}={value:g} {unit} must be {limits}")
        return value

    return check


def whole(least: int | None = None, most: int | None = None) -> Kind:
    """A whole number within these limits."""
    limits = _limits(least, most, None)
    right = f"a whole number{limits and f', {limits}'}"

    def check(what: str, given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, numbers.Integral):
            raise wrong(what, given, right)
        if not _within(int(given), least, most, None):
            raise wrong(what, given, right)
        return int(given)

    return check


def _within(value: float, least: float | None, most: float | None, above: float | None) -> bool:
    return (
        (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
    )


def _limits(least: float | None, most: float | None, above: float | None) -> str:
    if least is not None and most is not None:
        return f"from {least:g} to {most:g}"
    if least is not None:
        return f"{least:g} or more"
    return f"more than {above:g}" if above is not None else ""


# -- time ------------------------------------------------------------------------------------------


def instant(what: str, given: datetime | str) -> datetime:
    """An aware UTC instant, from an aware datetime or ISO 8601 text with an offset.

    Raises SimulationError, naming `what`, for anything else.
    """
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise refused(
                f"{what}={shown(given)} is no ISO 8601 instant, such as '2026-01-01T00:00:00Z'"
            ) from None
    if not isinstance(given, datetime):
        raise wrong(
            what, given, "an aware datetime, or ISO 8601 text such as '2026-01-01T00:00:00Z'"
        )
    if given.utcoffset() is None:
        raise refused(
            f"{what}={given.isoformat()} is naive: give it an offset, such as 'Z' for UTC"
        )
    try:
        at = given.astimezone(UTC)
    except OverflowError:
        at = None
    if at is None or not FIRST <= at < LAST:
        raise wrong(what, given.isoformat(), f"an instant from {FIRST:%Y} to {LAST.year - 1}")
    return at


def span(above_zero: bool = False) -> Kind:
    """A timedelta of zero or more, or of more than zero."""
    right = "more than 0" if above_zero else "0 or more"

    def check(what: str, given: Any) -> timedelta:
        if not isinstance(given, timedelta):
            raise wrong(what, given, "a timedelta")
        if given < timedelta(0) or (above_zero and not given):
            raise refused(f"{what}={given.total_seconds():g} s must be {right}")
        return given

    return check


def window(what: str, given: Any) -> tuple[datetime, datetime]:
    """Two instants, the earlier one first."""
    right = "two aware instants, the earlier one first"
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise wrong(what, given, right)
    begin, end = (instant(what, one) for one in given)
    if end <= begin:
        raise refused(f"{what}=({begin}, {end}) must be {right}")
    return begin, end


def duration(what: str, given: Any) -> Any:
    """A timedelta, a distribution of them, or a list."""
    if isinstance(given, timedelta):
        return span()(what, given)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        if not given:
            raise refused(f"{what}={shown(given)} must hold at least one timedelta")
        return [_of_a_list(what, one) for one in given]
    if callable(getattr(given, "sample", None)):
        return given
    raise wrong(what, given, "a timedelta, lognormal(...) or a list of timedeltas")


def _of_a_list(what: str, given: Any) -> timedelta:
    if not isinstance(given, timedelta):
        raise refused(f"{what} is a list that holds {shown(given)}: use timedelta")
    step: timedelta = span()(what, given)
    return step


def interval(what: str, given: Any) -> timedelta:
    """How much time lies between two runs: a timedelta or seconds, more than zero."""
    if isinstance(given, timedelta):
        step: timedelta = span(above_zero=True)(what, given)
        return step
    seconds = number(above=0, unit="s")(what, given)
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise refused(f"{what}={seconds:g} s is longer than virtual time is") from None


# -- text and names --------------------------------------------------------------------------------


def text(what: str, given: Any) -> str:
    """Text that says something."""
    if not isinstance(given, str) or not given.strip():
        raise wrong(what, given, "text that is not empty")
    return given


def name(what: str, given: Any) -> str:
    """A name that Prefect takes for what is found by it."""
    if re.search("[/%&<>]", text(what, given)):
        raise wrong(what, given, "a name without any of / % & < >")
    return str(given)


def one_word(*words: str) -> Kind:
    """One of some words."""

    def word(what: str, given: Any) -> str:
        if given not in words:
            raise wrong(what, given, " or ".join(map(repr, words)))
        return str(given)

    return word


def full_name(what: str, given: Any) -> str:
    """A deployment's: "flow/deployment"."""
    if not isinstance(given, str) or not all(given.partition("/")):
        raise wrong(what, given, "a deployment's full name, such as 'flow/deployment'")
    return given


def words(what: str, given: Any) -> list[str]:
    """A list of texts. Text alone is none: it would be a list of its letters."""
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise wrong(what, given, f"a list of texts, such as [{shown(given)}]")
    return [an(str, right="texts")(what, one) for one in given]


def by_name(what: str, given: Any) -> dict[str, Any]:
    """Values by name."""
    if not isinstance(given, Mapping):
        raise wrong(what, given, "a dict of values by name")
    for key in given:
        if not isinstance(key, str):
            raise refused(f"{what} has the key {shown(key)}, which must be a name")
    return dict(given)


def variable(what: str, given: Any) -> str:
    """The value of the environment variable `what`."""
    if not what or "=" in what or "\0" in what:
        raise refused(f"{shown(what)} is no name of an environment variable")
    number_like = isinstance(given, numbers.Real) and not isinstance(given, bool)
    if not number_like and not isinstance(given, str | os.PathLike):
        raise wrong(what, given, "text or a path, as all environment variables are")
    value = str(given)
    if "\0" in value:
        raise wrong(what, given, "text without a NUL character")
    return value


def a_list(what: str, given: Any) -> Any:
    """A list of things that somebody else looks at."""
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise wrong(what, given, "a list")
    return given


def some_of(what: str, given: Any) -> Any:
    """A list that is not empty."""
    if not a_list(what, given):
        raise refused(f"{what}={shown(given)} must hold at least one")
    return given


# -- what belongs to Prefect and to runs -----------------------------------------------------------


def flow(what: str, given: Any) -> Any:
    """A flow of Prefect's."""
    from prefect import Flow

    if isinstance(given, Flow):
        return given
    called = getattr(given, "__name__", None)
    hint = f": decorate {called} with @flow" if callable(given) and called else ""
    raise refused(f"{what}={shown(given)} must be a Prefect flow{hint}")


def tasks(what: str, given: Any) -> Any:  # noqa: ARG001
    """Tasks of Prefect's."""
    from prefect import Task

    for one in given:
        if not isinstance(one, Task):
            called = getattr(one, "__name__", None)
            hint = f": decorate {called} with @task" if callable(one) and called else ""
            raise refused(f"{shown(one)} must be a Prefect task{hint}")
    return given


def path(what: str, given: Any) -> str:
    """The path of a file or folder."""
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise wrong(what, given, "a path")
    return os.fsdecode(given)


def run_id(what: str, given: Any) -> UUID:
    """The id of a flow run, from its record or from what `trigger` has returned."""
    given = getattr(given, "id", given)
    try:
        return given if isinstance(given, UUID) else UUID(an(str, right="text")(what, given))
    except (ValueError, SimulationError):
        raise wrong(what, given, "a run of `sim.runs()`, or the id of one") from None


def exception(what: str, given: Any) -> Any:
    """Something to raise."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, type) and issubclass(given, BaseException):
        return given
    raise wrong(what, given, f"an exception, such as RuntimeError({shown(given)})")


def run_numbers(what: str, given: Any) -> frozenset[int]:
    """Numbers of runs, from 0."""
    if not isinstance(given, Collection) or isinstance(given, str | bytes | Mapping):
        raise wrong(what, given, f"numbers of runs, such as [{shown(given)}]")
    if any(
        isinstance(one, bool) or not isinstance(one, numbers.Integral) or one < 0 for one in given
    ):
        raise wrong(what, given, "numbers of runs, from 0")
    return frozenset(int(one) for one in given)


def flow_and_state(what: str, given: Any) -> tuple[str, str]:
    """The names of a flow and of a state."""
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise wrong(what, given, 'the names of a flow and of a state, such as ("load", "Running")')
    flow, state = (text(what, one) for one in given)
    return flow, state


def attempts(what: str, given: Any) -> range:
    """Prefect's run counts, which begin at 1: "2" or "1-3"."""
    counts = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", str(given), re.ASCII)
    if not isinstance(given, str | int) or isinstance(given, bool) or counts is None:
        raise wrong(what, given, "a run count from 1, or a range such as '1-2'")
    found = range(int(counts[1]), int(counts[2] or counts[1]) + 1)
    if not found or not found.start:
        raise wrong(what, given, "a run count from 1, or a range such as '1-2'")
    return found


def counts(what: str, given: Any) -> str:
    """The same, as it was given: a fault is kept as it was said."""
    attempts(what, given)
    return str(given).strip()


def exit_code(what: str, given: Any) -> int:
    """What a process ends with: 0 to 255, or the number of a signal below zero."""
    code: int = whole(-64, 255)(what, given)
    return code
