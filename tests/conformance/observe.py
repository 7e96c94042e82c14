"""What an engine makes of a case, as plain values that can be compared and written down."""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from simulator import Simulation
from simulator.history.normal import Scrub, made_up_names
from simulator.records import RunRecord, StateRecord, TaskRecord
from tests.conformance.case import Case

_SERVER = re.compile(r"http://(simulation\.invalid|127\.0\.0\.1:<port>)/")


@dataclass
class Observed:
    """The runs that nobody called, with those that they called; or why there are none.

    `place` numbers all runs in the order of their starts. Instants are seconds since the beginning.
    `starts`: the seconds that it took each script of a live simulation to begin its flow, and each of
    its workers to begin to poll.
    """

    runs: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    starts: list[float] = field(default_factory=list)
    real_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def observe(
    case: Case,
    simulation: AbstractContextManager[Simulation],
    tell_lie: Callable[[Simulation], None] = lambda sim: None,
    before: Collection[UUID] = (),
) -> Observed:
    """Act the case on an engine and look at what has come of it, but for the runs that were there
    `before`.
    """
    began = time.monotonic()
    observed = Observed()
    try:
        with simulation as sim:
            case.act(sim)
            settle(sim)
            tell_lie(sim)
            observed.runs = look(sim, before)
            observed.starts = list(getattr(sim._world, "start_seconds", []))
    except Exception:
        observed.error = traceback.format_exc()
    observed.real_seconds = time.monotonic() - began
    return observed


def settle(sim: Simulation) -> None:
    """Let time pass until nothing is under way any more: events take a moment on a real server."""
    before, quiet = None, 0
    for _ in range(30):
        now = [(run.state, len(run.states), tasks(run)) for run in sim.runs()]
        quiet = quiet + 1 if now == before else 0
        if quiet == 2:
            return
        before = now
        sim.advance(seconds=1)


def tasks(run: RunRecord) -> list[tuple[str, int]]:
    return sorted((task.state, len(task.states)) for task in run.tasks)


def look(sim: Simulation, before: Collection[UUID] = ()) -> list[dict[str, Any]]:
    """The runs that nobody called, each with those that it called."""
    runs = [run for run in sim.history().runs() if run.id not in before]
    known = {run.id for run in runs}
    places = {run.id: place for place, run in enumerate(runs)}
    view = _View(sim.start, Scrub(made_up_names(runs)), places)
    return view.siblings(run for run in runs if run.parent_id not in known)


class _View:
    def __init__(self, start: datetime, scrub: Scrub, places: Mapping[UUID, int]) -> None:
        self._start = start
        self._scrub = scrub
        self._places = places

    def siblings(self, runs: Iterable[RunRecord]) -> list[dict[str, Any]]:
        return sorted(map(self._run, runs), key=_key)

    def _run(self, run: RunRecord) -> dict[str, Any]:
        return {
            "label": self._label(run),
            "place": self._places[run.id],
            "flow": run.flow,
            "deployment": run.deployment,
            "auto_scheduled": run.auto_scheduled,
            "tags": sorted(run.tags),
            **self._outcome(run),
            "scheduled": self._seconds(run.scheduled),
            "start": self._seconds(run.start),
            "end": self._seconds(run.end),
            "tasks": sorted(map(self._task, run.tasks), key=_task_key),
            "children": self.siblings(run.children),
        }

    def _label(self, run: RunRecord) -> str:
        given = self._scrub.text(json.dumps(run.parameters, sort_keys=True))
        return f"{run.deployment or run.flow}({given[1:-1]})"

    def _task(self, task: TaskRecord) -> dict[str, Any]:
        return {
            "label": task.task,
            **self._outcome(task),
            "start": self._seconds(task.start),
            "end": self._seconds(task.end),
        }

    def _outcome(self, record: RunRecord | TaskRecord) -> dict[str, Any]:
        return {
            "state": record.state,
            "type": record.state_type,
            "message": self._message(record.message),
            "run_count": record.run_count,
            "states": [self._state(state) for state in record.states],
        }

    def _state(self, state: StateRecord) -> dict[str, Any]:
        return {
            "name": state.name,
            "type": state.type,
            "message": self._message(state.message),
            "at": self._seconds(state.timestamp),
        }

    def _message(self, message: str | None) -> str | None:
        return None if message is None else _SERVER.sub("<server>/", self._scrub.text(message))

    def _seconds(self, instant: datetime | None) -> float | None:
        return None if instant is None else (instant - self._start).total_seconds()


def _key(run: dict[str, Any]) -> tuple[Any, ...]:
    """What tells siblings apart: for a schedule's runs their instant, whichever began first."""
    return run["label"], run["scheduled"] if run["auto_scheduled"] else 0, run["place"]


def _task_key(task: dict[str, Any]) -> tuple[Any, ...]:
    """Which of several equal tasks got a slot first is anybody's guess: the quickest one goes first."""
    states = [(state["name"], state["message"] or "") for state in task["states"]]
    seconds = task["states"][-1]["at"] - task["states"][0]["at"] if states else 0
    return task["label"], states, seconds, task["start"] or 0
