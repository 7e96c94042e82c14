"""The cells of the table: what may happen to each step of a project, one fault at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from simulator.audit.twins import named, outermost
from simulator.faults import (
    ApiRefused,
    EventLate,
    EventLost,
    Fault,
    Hang,
    Kill,
    Longer,
    Raise,
    Return,
    ReturnEarlier,
    WorkerAway,
    to_plain,
)
from simulator.history import History, RunRecord, TaskRecord

AWAY = timedelta(hours=3)
DOWN = timedelta(minutes=5)
AN_HOUR = timedelta(hours=1)

OF_FLOW_RUNS = "prefect.flow-run.*"

PREFETCH = timedelta(minutes=1)
"""So long before a run is due its worker goes away, so that it has not taken it ahead of time."""

MOMENT = timedelta(seconds=10)
"""An event that has brought about a run is not older than this when the run is made."""


@dataclass(frozen=True)
class Step:
    """A deployment, flow or task that has run, and the run of it that is struck.

    `name` is what it is called in the table: "flow/deployment", or the name of the flow or task;
    `step` the name of the flow or task; `number` that of the run among all of this step, from 0 in the
    order of their start; `began` and `ended` when it did (None if it has not ended), and `until` when
    the next run of this step begins that is not of the same tree. `follows_a_run` tells that another
    flow run had entered a state just before it was made.
    """

    name: str
    step: str
    run: RunRecord
    task: TaskRecord | None
    number: int
    began: datetime
    ended: datetime | None
    until: datetime
    follows_a_run: bool

    @property
    def is_deployment(self) -> bool:
        """Whether it is a deployment: there is a worker that takes it."""
        return self.task is None and self.run.deployment is not None

    @property
    def is_triggered(self) -> bool:
        """Whether an event has brought it about, as far as can be seen: no schedule, and no run."""
        return self.is_deployment and self.run.parent is None and not self.run.auto_scheduled

    @property
    def is_read_by_its_caller(self) -> bool:
        """Whether who calls it gets what it returns: a task, or a subflow."""
        return self.task is not None or not (self.is_deployment or self.run.parent is None)

    @property
    def takes_time(self) -> bool:
        """Whether it takes any: three times nothing is nothing."""
        return self.ended is not None and self.ended > self.began


@dataclass(frozen=True)
class Cell:
    """One fault of one step. `column` is one of `IN_WORDS`, `fault` as plain data, `run_id` the run that
    it is meant for, in the simulation without faults.
    """

    step: str
    column: str
    fault: Mapping[str, Any]
    run_id: UUID

    @property
    def name(self) -> str:
        """How a user calls it: "orders/prod:raises"."""
        return f"{self.step}:{self.column}"

    @property
    def wrong_value(self) -> bool:
        """Whether it lets the step give something wrong, and does nothing else."""
        return self.fault["kind"] in (Return.kind, ReturnEarlier.kind)

    @property
    def until(self) -> datetime | None:
        """When the fault ends that lasts for some time; None for one that is over when it has struck."""
        if "between" not in self.fault or self.fault["kind"] == EventLost.kind:
            return None
        end = datetime.fromisoformat(self.fault["between"][1])
        return end + timedelta(seconds=self.fault.get("by", 0))


Make = Callable[[Step], Fault | None]


def _raises(step: Step) -> Fault:
    return Raise(step=step.step, between=(step.began, step.until))


def _raises_once(step: Step) -> Fault:
    return Raise(step=step.step, on=[step.number], attempts="1")


def _hangs(step: Step) -> Fault:
    return Hang(step=step.step, on=[step.number], attempts="1")


def _slow(step: Step) -> Fault | None:
    return Longer(step=step.step, on=[step.number], factor=3) if step.takes_time else None


def _killed(step: Step) -> Fault:
    return Kill(step=step.step, on=[step.number], attempts="1")


def _worker_away(step: Step) -> Fault | None:
    if not step.is_deployment or step.run.work_pool is None:
        return None
    due = step.run.scheduled or step.began
    since = min(due, step.began) - PREFETCH
    return WorkerAway(work_pool=step.run.work_pool, between=(since, since + PREFETCH + AWAY))


def _api_down(step: Step) -> Fault | None:
    if not step.is_deployment:
        return None
    return ApiRefused(between=(step.began, step.began + DOWN))


def _event_late(step: Step) -> Fault | None:
    event = _event(step)
    return None if event is None else EventLate(**event, by=AN_HOUR)


def _event_lost(step: Step) -> Fault | None:
    event = _event(step)
    return None if event is None else EventLost(**event)


def _event(step: Step) -> dict[str, Any] | None:
    """Which event has brought the run about, and when, if one has: that of a flow run, or one of the
    user's own where none has changed its state just then. (Those of task runs are what Prefect writes
    their states down by.)
    """
    if not step.is_triggered or not step.run.states:
        return None
    made = step.run.states[0].timestamp
    name = OF_FLOW_RUNS if step.follows_a_run else "*"
    return {"event": name, "between": (made - MOMENT, made + MOMENT)}


COLUMNS: dict[str, tuple[str, Make]] = {
    "raises": ("raises, and again at each further attempt", _raises),
    "raises-once": ("raises at its first attempt", _raises_once),
    "hangs": ("never comes back", _hangs),
    "slow": ("takes three times as long", _slow),
    "killed": ("its process is killed", _killed),
    "worker-away": ("its worker is away for three hours when it is due", _worker_away),
    "api-down": ("the API refuses connections for five minutes when it begins", _api_down),
    "event-late": ("the event that brings it about is an hour late", _event_late),
    "event-lost": ("the event that brings it about is lost", _event_lost),
}
"""What may happen to a step, by the word for it: in words, and the fault that it is, if it can be."""

EMPTY = "gives-nothing"
"""The column of what returns something empty of its own type."""

STALE = "gives-stale"
"""The column of what returns something else from one run to the next, to who calls it."""

IN_WORDS = {name: words for name, (words, _) in COLUMNS.items()} | {
    EMPTY: "returns nothing: an empty value of its type",
    STALE: "returns what it returned the run before",
}


def cells_of(
    history: History, empty: Mapping[str, Any], changed: Collection[UUID] = ()
) -> list[Cell]:
    """All cells of what has run, step by step. `empty` has an empty value for each flow or task that
    says that it returns something which can be empty; `changed` the ids of the task runs and flow runs
    that have returned something else than the run before.
    """
    found = []
    stale = {step.name: step for step in steps_of(history, changed)}
    for step in steps_of(history):
        faults = {name: make(step) for name, (_, make) in COLUMNS.items()}
        if step.step in empty:
            value = empty[step.step]
            faults[EMPTY] = Return(step=step.step, on=[step.number], value=value)
        found += [
            Cell(step.name, column, to_plain(fault), step.run.id)
            for column, fault in faults.items()
            if fault is not None
        ]
        if (other := stale.get(step.name)) is not None and other.is_read_by_its_caller:
            earlier = ReturnEarlier(step=other.step, on=[other.number])
            found.append(Cell(other.name, STALE, to_plain(earlier), other.run.id))
    return found


def steps_of(history: History, among: Collection[UUID] | None = None) -> list[Step]:
    """Every deployment, flow and task that has run, each with the run of it that is struck: the first
    that went well, with all that led to it, or else the first; `among` these task runs and flow runs,
    if any are given.
    """
    flows: dict[str, list[_Attempted]] = {}
    tasks: dict[str, list[_Attempted]] = {}
    for run in history.runs():
        if run.start is not None:
            flows.setdefault(run.flow, []).append((run, None, run.start, run.end))
        for task in run.tasks:
            if task.start is not None:
                tasks.setdefault(task.task, []).append((run, task, task.start, task.end))
    found: list[Step] = []
    moves = [(one.timestamp, run.id) for run in history.runs() for one in run.states]
    for flow, runs in flows.items():
        names = dict.fromkeys(named(run) for run, *_ in runs)
        for name in names:
            own = [one for one in enumerate(runs) if named(one[1][0]) == name]
            found += _step(name, flow, runs, own, history.now, moves, among)
    for name, runs in tasks.items():
        runs.sort(key=lambda one: one[2])
        found += _step(name, name, runs, list(enumerate(runs)), history.now, moves, among)
    return found


_Attempted = tuple[RunRecord, TaskRecord | None, datetime, datetime | None]
"""A run, the task of it if that is meant, when it began and when it ended."""


def _step(
    name: str,
    step: str,
    all_of_it: list[_Attempted],
    own: list[tuple[int, _Attempted]],
    now: datetime,
    moves: list[tuple[datetime, UUID]],
    among: Collection[UUID] | None,
) -> Iterator[Step]:
    """The step, of all its runs in the order of their start; struck is one of its `own`, by number, that
    is `among` these ids. None if none is. `moves` are the instants at which runs have entered a state,
    and which did.
    """
    if among is not None:
        own = [one for one in own if _id(one[1]) in among]
    if not own:
        return
    number, (run, task, began, ended) = next((one for one in own if _is_good(one[1])), own[0])
    later = (
        other_began
        for other, _, other_began, _ in all_of_it[number:]
        if outermost(other) != outermost(run) and other_began > began
    )
    made = run.states[0].timestamp if run.states else began
    follows = any(
        made - MOMENT <= instant <= made and run_id != run.id for instant, run_id in moves
    )
    yield Step(name, step, run, task, number, began, ended, next(later, now), follows)


def _id(one: _Attempted) -> UUID:
    run, task, *_ = one
    return run.id if task is None else task.id


def _is_good(one: _Attempted) -> bool:
    run, task, *_ = one
    root = outermost(run)
    everything = (root, *root.descendants())
    return all(one.completed for one in everything) and (task is None or task.state == "Completed")
