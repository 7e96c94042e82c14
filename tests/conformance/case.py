"""A case: flows, and what is done with them, the same on both engines."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from simulator import Simulation, SimulationError
from simulator.records import RunRecord, TaskRecord
from simulator.versions import series as series_here

T = TypeVar("T")

SETTINGS = {
    # How often is not the point, and the same on both engines.
    "PREFECT_WORKER_QUERY_SECONDS": 1,
    "PREFECT_WORKER_PREFETCH_SECONDS": 3,
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": 5,
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": 1,
    # The next run of a schedule may be a year away.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_SCHEDULED_TIME": "P800D",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": 2,
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": 60,  # a busy machine is no case
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": 2,
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": 2,
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": 2,
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": 20,
    "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": 2,
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": 1,
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": 1,
}


@dataclass(frozen=True)
class Case:
    """`act` does something with a simulation; what has happened in the end is compared.

    `concurrent`: its runs go on at the same time, so that only long waits tell their order.
    `live_only`: it cannot run in one process; `act` asserts what has to come out.
    `series`: where Prefect has changed, what each series does; `act` asserts it.
    """

    name: str
    section: str
    shows: str
    act: Callable[[Simulation], None]
    concurrent: bool = False
    live_only: bool = False
    series: Mapping[str, str] = field(default_factory=dict)


CASES: dict[str, Case] = {}

CHANGED = ("cases_series", "cases_schedules", "cases_endings", "cases_automations")
"""The modules of cases that rest on what is not the same in all series of Prefect: what 3.9 does
otherwise, its rewritten calculation of schedules, its observers of cancellation and suspension and its
process worker, and its proactive triggers. The engines of flows and tasks, where the other cases look,
differ by the lines that `cases_series` is about.
"""


def case(
    *,
    concurrent: bool = False,
    live_only: bool = False,
    series: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Simulation], None]], Callable[[Simulation], None]]:
    """Make a function a case. Its module's docstring names the section, its own says what it shows."""

    def register(act: Callable[[Simulation], None]) -> Callable[[Simulation], None]:
        name = act.__name__.replace("_", "-")
        if name in CASES:
            raise SimulationError(f"two cases are called {name!r}")
        section = inspect.getdoc(inspect.getmodule(act)) or ""
        shows = " ".join((inspect.getdoc(act) or "").split())
        CASES[name] = Case(name, section, shows, act, concurrent, live_only, series or {})
        return act

    return register


def all_cases() -> dict[str, Case]:
    """Every case of every module `cases_*.py` beside this one, by name."""
    for file in sorted(Path(__file__).parent.glob("cases_*.py")):
        importlib.import_module(f"tests.conformance.{file.stem}")
    return dict(CASES)


def by_series(expected: Mapping[str, T]) -> T:
    """What the series of the Prefect that is installed does."""
    return expected[series_here()]


def rests_on_a_change(one: Case) -> bool:
    """Whether a case is among those to run on each series, even where time is short."""
    return one.act.__module__.rpartition(".")[2] in CHANGED


def until(sim: Simulation, happened: Callable[[], bool], seconds: int = 240) -> None:
    """Let time pass, second by second, until something has happened."""
    for _ in range(seconds):
        if happened():
            return
        sim.advance(seconds=1)
    raise AssertionError(f"has not happened within {seconds} s")


def ended(sim: Simulation, flow: str, count: int = 1) -> Callable[[], bool]:
    """Whether so many runs of a flow have ended."""
    return lambda: sum(run.final for run in sim.runs(flow)) >= count


def running(sim: Simulation, flow: str, count: int = 1) -> Callable[[], bool]:
    """Whether so many runs of a flow go on."""
    return lambda: len(sim.runs(flow, state="Running")) >= count


def at_work(sim: Simulation, flow: str) -> None:
    """Let time pass until a run of the flow is in the flow's own code.

    It is Running a moment before that. Of many runs that were cancelled in that moment one was
    Cancelled after 31 seconds and not after 3: Prefect gives a process 30 seconds to heed SIGTERM.
    """
    until(sim, running(sim, flow))
    sim.advance(seconds=3)


def tasks_of(sim: Simulation, run: RunRecord, count: int) -> list[TaskRecord]:
    """So many tasks of a run, in their order: a real server writes them down a moment later, from events."""

    def tasks() -> list[TaskRecord]:
        return [task for task in sim.history().run(run.id).tasks if task.end is not None]

    until(sim, lambda: len(tasks()) >= count)
    return sorted(tasks(), key=lambda task: task.states[0].timestamp)
