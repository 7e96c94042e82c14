"""Ends a process of `simulate run` by SIGKILL, at any moment, and looks at what is left."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

PATIENCE = 300.0
"""Real seconds for a run to end by itself."""

TOLD = re.compile(r"^holds +(\w+) \[(\w+)\]", re.MULTILINE)

# Indented, or pytest would take this file for one of scenarios.
SCENARIO = textwrap.dedent("""
    import time
    from datetime import timedelta
    from prefect import flow, task
    from simulator.scenario import scenario

    @task
    def step(): ...

    @flow
    def hourly():
        step()

    @scenario(name="NAME", question="Is it kept?", days=1, variants={"one": 1, "two": 2})
    def act(sim, variant, days):
        sim.deploy(hourly, name="dev", interval=timedelta(minutes=60 / variant))
        sim.advance(hours=2)
    """)


@dataclass
class Kills:
    """What became of so many kills. `broken`: what was not as it must be, in words."""

    points: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def campaign(folder: Path, seeds: range) -> Kills:
    """Kill at a random point of a run's time for each seed; then let one run go through, which must
    leave nothing.
    """
    for name in ("first", "second"):
        scenarios = folder / "scenarios"
        scenarios.mkdir(exist_ok=True)
        (scenarios / f"{name}.py").write_text(SCENARIO.replace("NAME", name))
    (folder / "tmp").mkdir()
    began = time.monotonic()
    _start(folder, "undisturbed").wait(PATIENCE)
    whole = time.monotonic() - began
    found = Kills()
    for seed in seeds:
        dice = random.Random(seed)
        _kill_once(folder, f"results-{seed}", dice.uniform(0, whole), dice, found)
    process = _start(folder, "results")
    if process.wait(PATIENCE) != 0:
        found.broken.append(f"a run after all of them ended with {process.returncode}")
    if left := sorted(path.name for path in (folder / "tmp").iterdir()):
        found.broken.append(f"after a whole run there is left: {left}")
    return found


def _start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator.cli", "run", "--jobs", "2", "-v", "--out", out],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder / "tmp")},
        stdout=(folder / f"{out}.out").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _kill_once(folder: Path, out: str, seconds: float, dice: random.Random, found: Kills) -> None:
    process = _start(folder, out)
    time.sleep(seconds)  # real ones: the kill is to come at any moment of the run
    there = _of_session(process.pid)
    if there:
        victim = dice.choice(sorted(there))
        what = "simulate" if victim == process.pid else there[victim]
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            what = "nobody: it had just ended"
        found.killed[what] += 1
    else:
        found.killed["nobody: it had ended"] += 1
    found.points += 1
    found.codes[process.wait(PATIENCE)] += 1
    found.broken += [f"{out}: {said}" for said in _looked_at(folder, out, process)]


def _looked_at(folder: Path, out: str, process: subprocess.Popen[bytes]) -> list[str]:
    said = (folder / f"{out}.out").read_text(errors="replace")
    broken = []
    if "Traceback" in said and process.returncode >= 0:
        broken.append(f"a traceback: {said[-500:]}")
    results = folder / out / "results.duckdb"
    kept: set[tuple[str, str]] = set()
    if results.exists():
        try:
            with duckdb.connect(str(results), read_only=True) as file:
                # Who ends before the tables are there has told of nothing.
                if file.execute("from duckdb_tables()").fetchall():
                    kept = set(file.execute("select scenario, variant from variants").fetchall())
        except duckdb.Error as error:
            broken.append(f"the results cannot be read: {error}")
    elif process.returncode >= 0:
        broken.append(f"no results, and exit code {process.returncode}: {said[-300:]}")
    broken += [f"{told} was told of, and is not kept" for told in set(TOLD.findall(said)) - kept]
    end = time.monotonic() + 10
    while (there := _of_session(process.pid)) and time.monotonic() < end:
        time.sleep(0.1)  # no children of this process: their end can only be looked for
    if there:
        broken.append(f"processes are left: {there}")
        for left in there:
            os.kill(left, signal.SIGKILL)
    return broken


def _of_session(session: int) -> dict[int, str]:
    """The processes of a session that live, and what each is."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            line = (status.parent / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            words = ("resource_tracker", "forkserver", "spawn_main")
            found[int(status.parent.name)] = next((word for word in words if word in line), "other")
    return found
