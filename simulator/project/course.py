"""What became of a project: a row for each deployment, what could not be loaded, the findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from simulator import arguments
from simulator.project.findings import (
    Finding,
    Names,
    at_once,
    endless,
    in_order,
    lateness,
    misfits,
    names_in,
    needs_module,
    needs_program,
    needs_stub,
    needs_value,
    needs_variable,
    observed,
    scheduled,
    shown_by,
    stale,
    triggered,
    written,
)
from simulator.project.loading import Loaded, Unloaded, hinted
from simulator.project.proposing import Proposal, proposals

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from simulator.caveats import Caveat
    from simulator.history import History, RunRecord
    from simulator.project.simulation import ProjectSimulation
    from simulator.promises import Outcome


@dataclass(frozen=True)
class Row:
    """One deployment. `ends` counts its runs by their newest state; `failed` those that ended Failed or
    Crashed; `late` those that Prefect called Late; `retries` the attempts beyond the first one, of its
    runs and their tasks; `at_once` how many were going on at once, at most; `waited_seconds` the longest
    time from when a run was due to its beginning. Durations are in seconds, None if none has ended.
    """

    deployment: str
    runs: int
    ends: dict[str, int]
    failed: int
    late: int
    retries: int
    waited_seconds: float
    median_seconds: float | None
    longest_seconds: float | None
    at_once: int


@dataclass(frozen=True)
class Course:
    """A project from `start` to `end` (aware UTC), under one seed. `refused` has the hosts to which
    connections were refused, and how many runs failed with that or go on, `missing_modules`,
    `missing_programs` and `missing_variables` (of the environment) the runs that ended for want of one;
    `made_up` names the blocks and variables that nobody has given, and `misread` counts the runs that
    ended since such a value is not the true one; `passed_over` names the scripts that serve or deploy,
    "file:line", and were not asked for; `stubs` counts the calls of each. `timezone` is the one
    to say instants in. The log lines of its `history` have been read. `stopped` says what ended it
    before its time, if anything did.
    """

    folder: Path
    start: datetime
    end: datetime
    seed: int
    rows: tuple[Row, ...]
    loaded: tuple[Loaded, ...]
    unloaded: tuple[Unloaded, ...]
    findings: tuple[Finding, ...]
    refused: dict[str, int]
    missing_modules: dict[str, int]
    missing_programs: dict[str, int]
    missing_variables: dict[str, int]
    made_up: tuple[str, ...]
    misread: int
    passed_over: tuple[str, ...]
    stubs: dict[str, int]
    promises: tuple[Outcome, ...]
    timezone: ZoneInfo
    caveats: tuple[Caveat, ...]
    proposed: tuple[Proposal, ...]
    history: History
    stopped: str = ""


def course(sim: ProjectSimulation, folder: Path | None = None, stopped: str = "") -> Course:
    """What has happened so far in the simulation of a project; of the one in `folder`, if it lives in a
    copy of that. `stopped` is what ended it before its time.
    """
    history = sim.history()
    history.read_logs()
    names = {one.name for one in sim.loaded}
    known = {
        *names,
        *history.deployments,
        *sim.elsewhere,
        *(f"*/{one.name}" for one in sim.unloaded),
    }
    scripts = [one for one in sim.unloaded if one.name.endswith(".py")]
    flows, words = names_in(sim.project)
    names_of_runs = Names(
        flows={*flows, *history.flows},
        deployments=known,
        states=arguments.STATES | words,
    )
    active = [
        (one.name, one.where, schedule)
        for one in sim.loaded
        for schedule, is_active in sim.schedules(one.name)
        if is_active
    ]
    seen = shown_by(
        [
            *written(sim.project, sim.loaded, None if scripts else known),
            *triggered(
                sim.automations(), names_of_runs, {one.name: one.where for one in sim.loaded}
            ),
            *(
                found
                for one in sim.loaded
                for found in misfits(one.name, one.where, *sim.parameters_of(one.name), sim.project)
            ),
            *scheduled(active, sim.start, sim.now),
            *observed(history),
            *endless(history),
            *stale(history),
        ]
    )
    lived = Course(
        folder=sim.project,
        start=sim.start,
        end=sim.now,
        seed=sim.seed,
        rows=tuple(_row(name, history) for name in sorted({*names, *history.deployments})),
        loaded=tuple(sim.loaded),
        unloaded=tuple(hinted(one, (folder or sim.project).absolute()) for one in sim.unloaded),
        findings=tuple(in_order(seen)),
        refused=needs_stub(history),
        missing_modules=needs_module(history),
        missing_programs=needs_program(history),
        missing_variables=needs_variable(history),
        made_up=tuple(sim.given.made_up),
        misread=needs_value(history),
        passed_over=tuple(one.where(sim.project) for one in sim.passed_over),
        stubs={stub.name: stub.calls for stub in sim.stubs},
        promises=tuple(sim.promises()),
        timezone=sim.configuration.timezone,
        caveats=sim.caveats,
        proposed=tuple(proposals(sim.caveats)),
        history=history,
        stopped=stopped,
    )
    return lived if folder is None else _said_of(lived, folder.absolute())


def _said_of(course: Course, folder: Path) -> Course:
    """The same, as if it had lived in another folder."""

    def said(one: Any) -> Any:
        texts = {
            field.name: text.replace(str(course.folder), str(folder))
            for field in fields(one)
            if isinstance(text := getattr(one, field.name), str)
        }
        return replace(one, **texts)

    return replace(
        course,
        folder=folder,
        unloaded=tuple(map(said, course.unloaded)),
        findings=tuple(map(said, course.findings)),
        caveats=tuple(map(said, course.caveats)),
        proposed=tuple(map(said, course.proposed)),
    )


def _row(deployment: str, history: History) -> Row:
    runs = history.runs(deployment=deployment)
    ended = [seconds for run in runs if (seconds := _seconds(run)) is not None]
    return Row(
        deployment=deployment,
        runs=len(runs),
        ends=dict(Counter(run.state for run in runs)),
        failed=sum(run.failed for run in runs),
        late=sum(any(state.name == "Late" for state in run.states) for run in runs),
        retries=sum(_retries(run) for run in runs),
        waited_seconds=max(
            (lateness(run, history.now).total_seconds() for run in runs), default=0.0
        ),
        median_seconds=median(ended) if ended else None,
        longest_seconds=max(ended, default=None),
        at_once=at_once(runs, history.now),
    )


def _retries(run: RunRecord) -> int:
    counts = [run.run_count, *(task.run_count for task in run.tasks)]
    return sum(max(count - 1, 0) for count in counts)


def _seconds(run: RunRecord) -> float | None:
    if run.start is None or run.end is None:
        return None
    return (run.end - run.start).total_seconds()
