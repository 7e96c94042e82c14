"""Lets many topologies live, one after another or in several processes, against the laws."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from simulator.history import History
from simulator.instants import Real
from tests.attack.laws import broken
from tests.attack.running import live
from tests.attack.topologies import MOST, topology


@dataclass
class Attack:
    """What came of it. `broken`: by seed, what was against a law."""

    seeds: range
    most: int = MOST
    flows: int = 0
    runs: int = 0
    seconds: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    broken: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Attack) -> None:
        """Add what came of other seeds, but for the time that they took."""
        self.flows += other.flows
        self.runs += other.runs
        self.fired += other.fired
        self.ends += other.ends
        self.repeated += other.repeated
        self.broken |= other.broken


def by_several(seeds: range, repeat: int, most: int, jobs: int) -> Attack:
    """The same as `attacked`, by so many processes, each with a part of the seeds."""
    whole, began = Attack(seeds, most), Real.monotonic()
    parts = [seeds[job::jobs] for job in range(jobs)]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(attacked, parts, itertools.repeat(repeat), itertools.repeat(most)):
            whole.add(part)
    whole.seconds = Real.monotonic() - began
    return whole


def attacked(seeds: range, repeat: int, most: int = MOST) -> Attack:
    """Let the topologies of these seeds live, one after another, and tell of each."""
    attack, began = Attack(seeds, most), Real.monotonic()
    for seed in seeds:
        try:
            lived = live(topology(seed, most))
            said = broken(lived)
        except (
            Exception
        ) as error:  # whatever it is: a topology is valid, and nothing is to be raised
            attack.broken[seed] = [f"{type(error).__name__}: {error}"]
            print(f"seed {seed}: {attack.broken[seed]}", flush=True)
            continue
        attack.flows += len(lived.topology.nodes)
        attack.runs += len(lived.history.runs())
        attack.fired += lived.fired
        attack.ends.update(run.state_type for run in lived.history.runs())
        if repeat and seed % repeat == 0:
            attack.repeated += 1
            if (other := _elsewhere(seed, most)) != digest(lived.history):
                said.append(f"another process has another history: {other}")
        if said:
            attack.broken[seed] = said
        print(
            f"seed {seed}: {len(lived.history.runs())} runs, {said or 'as it must be'}", flush=True
        )
    attack.seconds = Real.monotonic() - began
    return attack


def digest(history: History) -> str:
    """What has happened, in one word: runs, their tasks and states, to the millisecond."""
    told = [
        (
            run.flow,
            str(run.scheduled),
            [str(state) for state in run.states],
            sorted((task.task, [str(state) for state in task.states]) for task in run.tasks),
        )
        for run in history.runs()
    ]
    return hashlib.sha256(json.dumps(sorted(told)).encode()).hexdigest()[:16]


def _elsewhere(seed: int, most: int) -> str:
    """The digest of a topology's history in a process of its own, with another hash seed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attack", "--digest", str(seed), "--most", str(most)],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout.split() or [done.stderr[-300:]])[-1]
