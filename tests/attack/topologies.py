"""Flows of flows made up at random: who calls whom, how, on which schedule, under which limit and faults.

Drawn by Hypothesis, so that what breaks can be made smaller. The calls have no circle: a flow calls
flows with a higher number only, and each of these has one caller, or its runs would double at each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from simulator.faults import (
    AnswerLost,
    ApiError,
    ApiLimited,
    ApiRefused,
    ApiSlow,
    DeploymentPaused,
    EventLate,
    EventLost,
    EventTwice,
    ExitLate,
    Hang,
    HeartbeatLost,
    Kill,
    Longer,
    NeverStarts,
    OutOfMemory,
    ProcessKilled,
    Raise,
    Redeployed,
    Return,
    ReturnEarlier,
    SlowStart,
    WorkerAway,
    WorkerKilled,
    WorkerLost,
)
from tests.drawn import drawn

START = datetime(2026, 1, 5, tzinfo=UTC)
HOURS = 3
"""For so long schedules run and faults strike; what is under way then has as long again to end."""

MOST = 30
"""Flows of a topology."""

HOWS = ("subflow", "caught", "in a task", "deployment", "fired", "after")
"""How one calls the other: as a subflow that may raise, or whose failure is caught; in a task that is
submitted and not read; by `run_deployment`, to its end or with `timeout=0`; by an automation, when the
caller has completed.
"""


@dataclass(frozen=True)
class Node:
    """A flow: it works for so long, retries so often, and calls others in turn."""

    seconds: int
    retries: int = 0
    asynchronous: bool = False
    calls: tuple[tuple[int, str], ...] = ()
    every_minutes: int | None = None
    limit: int | None = None
    cancels_new: bool = False


@dataclass(frozen=True)
class Topology:
    """Flows by their numbers, the slots of their pool, and what goes wrong."""

    nodes: tuple[Node, ...]
    faults: tuple[Any, ...] = ()
    pool_limit: int | None = None
    workers: int = 1
    seed: int = 0


def name(number: int) -> str:
    return f"flow-{number}"


Drawn = st.SearchStrategy[Any]


def _window() -> Drawn:
    """A part of the hours, of ten minutes at least."""
    return st.tuples(st.integers(0, HOURS * 6 - 2), st.integers(1, 18)).map(
        lambda drawn: (
            START + timedelta(minutes=10 * drawn[0] + 1),
            START + timedelta(minutes=10 * (drawn[0] + drawn[1])),
        )
    )


def _instant() -> Drawn:
    return st.integers(1, HOURS * 60 - 1).map(lambda minutes: START + timedelta(minutes=minutes))


ODDS = st.sampled_from((0.05, 0.2, 0.5))
SPANS = st.sampled_from((5, 60, 600, 4000)).map(lambda seconds: timedelta(seconds=seconds))


def _steps(kind: type, **more: Drawn) -> Callable[[int], Drawn]:
    return lambda count: st.builds(
        kind, step=st.integers(0, count - 1).map(name), probability=ODDS, **more
    )


def _anywhere(kind: type, **more: Drawn) -> Callable[[int], Drawn]:
    return lambda count: st.builds(kind, between=_window(), **more)


def _of_flow(kind: type, **more: Drawn) -> Callable[[int], Drawn]:
    return lambda count: st.builds(kind, flow=st.integers(0, count - 1).map(name), **more)


def _of_deployment(kind: type, **more: Drawn) -> Callable[[int], Drawn]:
    return lambda count: st.builds(
        kind, deployment=st.integers(0, count - 1).map(lambda number: f"{name(number)}/dev"), **more
    )


FAULTS: tuple[Callable[[int], Drawn], ...] = (
    _steps(Raise),
    _steps(Return),
    _steps(ReturnEarlier),
    _steps(Longer, factor=st.sampled_from((2, 30))),
    _steps(Longer, by=SPANS),
    _steps(Hang),
    _steps(Kill),
    _steps(OutOfMemory),
    _of_flow(ProcessKilled, at=_instant()),
    _anywhere(WorkerAway),
    lambda count: st.builds(WorkerKilled, at=_instant()),
    _anywhere(WorkerLost, probability=ODDS, back=SPANS),
    _anywhere(SlowStart, by=SPANS),
    _anywhere(ExitLate, by=SPANS),
    _anywhere(NeverStarts, probability=ODDS),
    _anywhere(ApiRefused, probability=ODDS),
    _anywhere(ApiError, probability=ODDS, status=st.sampled_from((500, 502, 503))),
    _anywhere(ApiLimited, probability=ODDS),
    _anywhere(ApiSlow, probability=ODDS),
    _anywhere(AnswerLost, probability=ODDS),
    _anywhere(EventLost, probability=ODDS),
    _anywhere(EventLate, by=SPANS),
    _anywhere(EventTwice, after=SPANS),
    _anywhere(HeartbeatLost, probability=ODDS),
    _of_deployment(DeploymentPaused, between=_window()),
    _of_deployment(Redeployed, at=_instant(), cron=st.sampled_from(("*/30 * * * *", "7 * * * *"))),
)
"""Every kind that needs no file and no table; those of data are for what a flow reads and writes."""


@cache
def topology(seed: int, most: int = MOST) -> Topology:
    """The topology of a seed."""
    return drawn(topologies(most), seed)


@st.composite
def topologies(draw: Callable[[Drawn], Any], most: int = MOST) -> Topology:
    """Two to `most` flows, and none to four faults."""
    count = draw(st.integers(2, most))
    callers = {
        number: (draw(st.integers(0, number - 1)), draw(st.sampled_from(HOWS)))
        for number in range(1, count)
        if number == 1 or draw(st.integers(0, 5))
    }
    nodes = []
    for number in range(count):
        calls = tuple((other, how) for other, (caller, how) in callers.items() if caller == number)
        scheduled = number not in callers
        nodes.append(
            Node(
                seconds=draw(st.sampled_from((0, 1, 20, 300, 2000))),
                retries=draw(st.sampled_from((0, 0, 0, 1, 2))),
                asynchronous=draw(st.booleans()),
                calls=calls,
                every_minutes=draw(st.sampled_from((45, 60, 90))) if scheduled else None,
                limit=draw(st.sampled_from((None, None, 1, 2))),
                cancels_new=draw(st.booleans()),
            )
        )
    kinds = draw(st.lists(st.sampled_from(FAULTS), max_size=4))
    return Topology(
        nodes=tuple(nodes),
        faults=tuple(draw(kind(count)) for kind in kinds),
        pool_limit=draw(st.sampled_from((None, None, 3, 8))),
        workers=draw(st.sampled_from((1, 1, 2))),
        seed=draw(st.integers(0, 9)),
    )
