"""Run scenarios, each in a process of its own, several at once.

A crash of one process (`os._exit`, a segmentation fault) costs the variant it was at and nothing
else. How the two ends talk stands in `simulator.process`.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.explain import short_path
from simulator.process import GRACE_SECONDS
from simulator.scenario import Scenario, check_days
from simulator.verdict import VariantResult


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
    """A running process, and what is still expected of it."""

    scenario: Scenario
    popen: subprocess.Popen[str]
    log: Path
    pending: list[str]
    began: float = field(default_factory=time.monotonic)
    listener: threading.Thread | None = None
    deadline: threading.Timer | None = None
    """Set once everything has been delivered: until then it has to be gone."""


def default_jobs() -> int:
    """One job for each core that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_scenarios(
    scenarios: Sequence[Scenario],
    *,
    seed: int = 0,
    days: int | None = None,
    jobs: int | None = None,
    logs: Path,
) -> Generator[Event, None, None]:
    """Run every variant of the scenarios and yield what happens, as it happens.

    Args:
        scenarios: what to run; the one with the most to do is begun first.
        seed: the seed of every variant.
        days: virtual days; each scenario's own number if None.
        jobs: how many processes at once; one for each core if None.
        logs: an existing folder, for one log file per scenario.

    Closing the iterator (or an exception in it, such as Ctrl-C) stops every process and leaves
    nothing behind. Its processes have a folder of their own for temporary files, removed at the
    end, whatever became of them.
    """
    if days is not None:
        check_days(days)
    waiting = [(scenario, list(scenario.variants)) for scenario in scenarios]
    waiting.sort(key=lambda job: -len(job[1]) * (days or job[0].days))
    running: dict[int, _Process] = {}
    news: queue.Queue[tuple[int, Mapping[str, Any] | None]] = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="simulate-", ignore_cleanup_errors=True) as work:
        folder = Path(work)
        try:
            while waiting or running:
                while waiting and len(running) < (jobs or default_jobs()):
                    scenario, variants = waiting.pop(0)
                    process = _start(scenario, variants, seed, days, folder, logs)
                    running[process.popen.pid] = process
                    process.listener = threading.Thread(
                        target=_listen, args=(process.popen, news), daemon=True
                    )
                    process.listener.start()
                pid, told = news.get()
                process = running[pid]
                if told is not None:
                    yield from _told(process, told, days)
                    continue
                del running[pid]
                yield from _ended(process, seed, days)
                if process.pending:  # a crash loses one variant, not those after it
                    waiting.insert(0, (process.scenario, process.pending))
        finally:
            _stop(list(running.values()))


def _start(
    scenario: Scenario,
    variants: list[str],
    seed: int,
    days: int | None,
    folder: Path,
    logs: Path,
) -> _Process:
    order = {
        "file": str(scenario.file),
        "scenario": scenario.name,
        "variants": variants,
        "seed": seed,
        "days": days,
        "folder": str(folder),
    }
    log = logs / f"{scenario.name}.log"
    again = len(variants) < len(scenario.variants)
    with log.open("a" if again else "w", encoding="utf-8") as output:
        popen = subprocess.Popen(
            # -P: like the `simulate` command, without the working folder on the import path.
            [sys.executable, "-P", "-X", "faulthandler", "-m", "simulator.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            encoding="utf-8",
            env=os.environ | {"TMPDIR": str(folder)},
            # Ctrl-C reaches this process alone, which then stops the others one by one, with
            # whatever these have started themselves.
            start_new_session=True,
        )
    assert popen.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once: its exit code will tell
        popen.stdin.write(json.dumps(order) + "\n")
        popen.stdin.flush()
    return _Process(scenario, popen, log, list(variants))


def _listen(
    popen: subprocess.Popen[str], news: queue.Queue[tuple[int, Mapping[str, Any] | None]]
) -> None:
    """Pass on what a process says; None once it has ended, with all that it had started."""
    assert popen.stdout is not None
    with popen.stdout as output:
        end = threading.Thread(target=_reap, args=(popen,), daemon=True)
        end.start()
        try:
            for line in output:
                news.put((popen.pid, json.loads(line)))
        except ValueError:  # somebody else wrote there, or half a line was all
            _signal_group(popen.pid, signal.SIGKILL)
        end.join()
    news.put((popen.pid, None))


def _reap(popen: subprocess.Popen[str]) -> None:
    """Wait for a process to end, then end what it has left behind: that holds its pipes open."""
    popen.wait()
    _signal_group(popen.pid, signal.SIGKILL)


def _told(process: _Process, told: Mapping[str, Any], days: int | None) -> Iterator[Event]:
    match told["event"]:
        case "started":
            yield Started(process.scenario.name, told["variant"])
        case "moved":
            yield Moved(
                process.scenario.name, told["variant"], told["days"], days or process.scenario.days
            )
        case "finished":
            process.pending.remove(told["variant"])
            process.began = time.monotonic()
            yield Finished(pickle.loads(Path(told["file"]).read_bytes()))
        case "done":
            process.deadline = threading.Timer(
                GRACE_SECONDS, _signal_group, (process.popen.pid, signal.SIGKILL)
            )
            process.deadline.daemon = True
            process.deadline.start()


def _ended(process: _Process, seed: int, days: int | None) -> Iterator[Event]:
    """What the end of a process means: nothing if it was done, else a crash of one variant."""
    code = process.popen.returncode
    _hang_up(process)
    said = _exit_in_words(code)
    scenario = process.scenario
    if not process.pending:
        if code != 0:
            yield Warned(
                f"{scenario.name}: its process {said} after the last variant "
                f"(see {short_path(process.log)})"
            )
        return
    variant = process.pending.pop(0)
    last = _last_line(process.log) if code > 0 else ""
    yield Finished(
        VariantResult(
            scenario=scenario.name,
            variant=variant,
            seed=seed,
            days=scenario.days if days is None else days,
            error=f"its process {said}{f', last saying {last!r}' if last else ''} "
            f"(see {short_path(process.log)})",
            real_seconds=time.monotonic() - process.began,
        )
    )


def _stop(processes: Sequence[_Process]) -> None:
    """Ask the processes to stop as Ctrl-C would; end those that do not within the grace."""
    for process in processes:
        _signal_group(process.popen.pid, signal.SIGINT)
    try:
        _wait(processes, GRACE_SECONDS)
    finally:
        for process in processes:
            if process.popen.returncode is None:
                _signal_group(process.popen.pid, signal.SIGKILL)
        _wait(processes, GRACE_SECONDS)
        for process in processes:
            _hang_up(process)


def _wait(processes: Sequence[_Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for process in processes:
        if process.listener is not None:
            process.listener.join(max(0.0, deadline - time.monotonic()))


def _hang_up(process: _Process) -> None:
    if process.deadline is not None:
        process.deadline.cancel()
    if process.popen.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.popen.stdin.close()


def _signal_group(pid: int, number: int) -> None:
    """Send a signal to a process that leads a group, and to all of the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _exit_in_words(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _last_line(log: Path) -> str:
    """The last line of a log that says something, without colours, shortened."""
    text = log.read_bytes()[-4096:].decode("utf-8", "replace")
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    return next((line[:200] for line in reversed(lines) if line), "")
