"""Run scenarios, each variant in a process of its own, several at once.

A crash of one process (`os._exit`, a segmentation fault) costs its variant and nothing else. What
such a process does stands in `simulator.process`.

The processes are forked by a server that has imported what all of them need (the standard library's
"forkserver"): importing Prefect's server and dbt takes longer than many a variant.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from simulator.child_processes import exit_in_words, last_line, signal_group
from simulator.folders import throw_away
from simulator.scenarios.broken import short_path
from simulator.scenarios.definition import Scenario
from simulator.scenarios.forks import (
    cores_for,
    default_jobs,
    start,
    start_method,
)
from simulator.scenarios.imports import libraries
from simulator.scenarios.process import GRACE_SECONDS, Order, main
from simulator.scenarios.remains import remains
from simulator.scenarios.variant import check_days
from simulator.scenarios.verdict import VariantResult


@dataclass(frozen=True)
class Started:
    """A variant has begun."""

    scenario: str
    variant: str


@dataclass(frozen=True)
class Moved:
    """A variant has come so far: `days` of virtual time, of `of_days`."""

    scenario: str
    variant: str
    days: float
    of_days: int


@dataclass(frozen=True)
class Finished:
    """A variant has come to an end, good or bad."""

    result: VariantResult


@dataclass(frozen=True)
class Warned:
    """Something that costs no result but should be known."""

    text: str


Event = Started | Moved | Finished | Warned


@dataclass
class _Process:
    """The process of one variant."""

    scenario: Scenario
    variant: str
    process: Any  # multiprocessing's, of the forkserver
    talk: Connection
    order: Order
    began: float = field(default_factory=time.monotonic)
    finished: bool = False
    listener: threading.Thread | None = None
    deadline: threading.Timer | None = None
    """Set once the result has been delivered: until then it has to be gone."""


def prepare(variants: int, jobs: int, files: Iterable[Path]) -> None:
    """Have imported what `run_scenarios` needs for so many variants or more of these scenario files,
    beside other work.

    With no more than one for each job nothing is done: the first processes would wait for the
    imports as well.
    """
    if variants > jobs and start_method() == "forkserver":
        modules = ["simulator.scenarios.preloaded"]
        if not {"dbt", "prefect_dbt"}.isdisjoint(libraries(files)):
            modules.append("simulator.scenarios.preloaded_dbt")
        forkserver.set_forkserver_preload(modules)
        forkserver.ensure_running()


def run_scenarios(
    scenarios: Sequence[Scenario],
    *,
    seed: int = 0,
    days: int | None = None,
    jobs: int | None = None,
    logs: Path,
    cut: Callable[[VariantResult], None] = lambda _: None,
    tables: bool = False,
    databases: Path | None = None,
) -> Generator[Event, None, None]:
    """Run every variant of the scenarios and yield what happens, as it happens.

    Args:
        scenarios: what to run; the one with the most to do is begun first.
        seed: the seed of every variant.
        days: virtual days; each scenario's own number if None.
        jobs: how many processes at once; one for each core if None.
        logs: an existing folder, for one log file per scenario.
        cut: called with what there is of each variant that is stopped before its end.
        tables: whether the results are to hold the tables of each warehouse.
        databases: an existing folder, to keep a copy of the database of each variant in.

    Closing the iterator (or an exception in it, such as Ctrl-C) stops every process and leaves
    nothing behind. Its processes have a folder of their own for temporary files, removed at the
    end, whatever became of them.
    """
    if days is not None:
        check_days(days)
    waiting = [(scenario, variant) for scenario in scenarios for variant in scenario.variants]
    waiting.sort(key=lambda job: -(days or job[0].days))
    jobs = jobs or default_jobs()
    prepare(len(waiting), jobs, [scenario.file for scenario in scenarios])
    forks: Any = multiprocessing.get_context(start_method())
    places = cores_for(len(waiting), jobs)
    running: dict[int, _Process] = {}
    news: queue.Queue[tuple[int, tuple[str, Any]]] = queue.Queue()
    for scenario in scenarios:
        log_of(scenario, logs).write_bytes(b"")
    with throw_away("simulate-") as work:
        try:
            while waiting or running:
                while waiting and places:
                    scenario, variant = waiting.pop(0)
                    order = Order(
                        scenario.file, scenario.name, variant, seed, days, work,
                        Path(tempfile.mkdtemp(dir=work)), log_of(scenario, logs), places.pop(0),
                        tables, databases and databases.absolute(),
                    )  # fmt: skip
                    process = _start(forks, scenario, order)
                    running[process.process.pid] = process
                    process.listener = threading.Thread(
                        target=_listen, args=(process, news), daemon=True
                    )
                    process.listener.start()
                pid, (what, value) = news.get()
                process = running[pid]
                if what == "ended":
                    del running[pid]
                    places.append(process.order.core)
                    yield from _ended(process, seed, days)
                else:
                    yield from _told(process, what, value, days)
        finally:
            try:
                for process in running.values():
                    stopped = _unfinished(process, seed, days, "stopped before its end")
                    if not process.finished and stopped.history is not None:
                        cut(stopped)
            finally:
                _stop(list(running.values()))


def log_of(scenario: Scenario, logs: Path) -> Path:
    """The file for what the variants of a scenario print."""
    return logs.absolute() / f"{scenario.name}.log"


def _start(forks: Any, scenario: Scenario, order: Order) -> _Process:
    here, there = forks.Pipe()
    process = forks.Process(target=main, args=(order, there), name=order.variant)
    start(process)
    there.close()
    return _Process(scenario, order.variant, process, here, order)


def _listen(process: _Process, news: queue.Queue[tuple[int, tuple[str, Any]]]) -> None:
    """Pass on what a process says, until it has ended; then end what it has left behind."""
    pid, talk = process.process.pid, process.talk
    with contextlib.suppress(EOFError, OSError):
        while talk in wait([talk, process.process.sentinel]):
            news.put((pid, talk.recv()))
    process.process.join()
    signal_group(pid, signal.SIGKILL)
    talk.close()
    news.put((pid, ("ended", None)))


def _told(process: _Process, what: str, value: Any, days: int | None) -> Iterator[Event]:
    match what:
        case "started":
            yield Started(process.scenario.name, process.variant)
        case "moved":
            yield Moved(
                process.scenario.name, process.variant, value, days or process.scenario.days
            )
        case "finished":
            process.finished = True
            process.deadline = threading.Timer(
                GRACE_SECONDS, signal_group, (process.process.pid, signal.SIGKILL)
            )
            process.deadline.daemon = True
            process.deadline.start()
            yield Finished(value)


def _ended(process: _Process, seed: int, days: int | None) -> Iterator[Event]:
    """What the end of a process means: nothing if it had finished, else a crash of its variant."""
    code = process.process.exitcode
    if process.deadline is not None:
        process.deadline.cancel()
    said = exit_in_words(code)
    scenario = process.scenario
    if process.finished:
        if code != 0:
            yield Warned(
                f"{scenario.name}: the process of {process.variant!r} {said} after its end "
                f"(see {short_path(process.order.log)})"
            )
        return
    last = last_line(process.order.log) if code > 0 else ""
    error = (
        f"its process {said}{f', last saying {last!r}' if last else ''} "
        f"(see {short_path(process.order.log)})"
    )
    yield Finished(_unfinished(process, seed, days, error))


def _unfinished(process: _Process, seed: int, days: int | None, error: str) -> VariantResult:
    """The result of a variant that has not told its own: what had happened by then."""
    return VariantResult(
        scenario=process.scenario.name,
        variant=process.variant,
        seed=seed,
        days=process.scenario.days if days is None else days,
        error=error,
        real_seconds=time.monotonic() - process.began,
        **remains(process.order.own),
    )


def _stop(processes: Sequence[_Process]) -> None:
    """Ask the processes to stop as Ctrl-C would; end those that do not within the grace."""
    for process in processes:
        signal_group(process.process.pid, signal.SIGINT)
    try:
        _wait(processes, GRACE_SECONDS)
    finally:
        for process in processes:
            if process.process.is_alive():
                signal_group(process.process.pid, signal.SIGKILL)
        _wait(processes, GRACE_SECONDS)


def _wait(processes: Sequence[_Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for process in processes:
        if process.listener is not None:
            process.listener.join(max(0.0, deadline - time.monotonic()))
