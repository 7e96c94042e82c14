"""Has the same scenarios run under two versions of Prefect, and compares what became of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import simulator
from simulator.errors import SimulationError
from simulator.folders import throw_away
from simulator.history import Difference, differences
from simulator.upgrade.environments import Environment, environment
from simulator.upgrade.recording import Order
from simulator.versions import ours


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions of Prefect, over `variants` variants of scenarios."""

    before: str
    after: str
    seed: int
    variants: int
    differences: tuple[Difference, ...]


def compare_versions(
    before: str,
    after: str,
    scenarios: Path,
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    days: int | None = None,
    jobs: int = 1,
    command: str = "",
    told: Callable[[str], object] = lambda _: None,
    keep: Callable[[Comparison, Sequence[Path]], object] = lambda *_: None,
) -> Comparison:
    """Run scenarios under both versions, one after the other, and compare.

    Args:
        before: a version of Prefect, "3.8" or "3.8.8".
        after: another one.
        scenarios: the folder or file with the scenarios.
        names: which of them; all if empty.
        seed: the seed of every variant.
        days: virtual days; each scenario's own number if None.
        jobs: how many processes at once.
        command: what repeats it, for the results files.
        told: called with sentences about what is done, which takes minutes.
        keep: called with what came out and with a results file for each side, which is gone
            afterwards: in it each variant is a scenario (`kept_as`), the side (`sides_of`) a variant.

    Raises SimulationError if an environment cannot be made, or scenarios cannot be loaded in one.
    """
    order = Order(str(scenarios), list(names), seed, days, jobs, command=command, version=ours())
    sides = [environment(version, told) for version in (before, after)]
    with throw_away("simulate-upgrade-") as work:
        records, files = [], []
        for number, (side, name) in enumerate(
            zip(sides, sides_of(*(side.prefect for side in sides)), strict=True)
        ):
            into = work / f"{number}.json"
            records.append(_recorded(side, replace(order, side=name), work, into, told))
            files.append(into.with_suffix(".duckdb"))
        comparison = Comparison(
            before=sides[0].prefect,
            after=sides[1].prefect,
            seed=seed,
            variants=len(records[0]),
            differences=tuple(differences(*records)),
        )
        keep(comparison, files)
    return comparison


def sides_of(before: str, after: str) -> tuple[str, str]:
    """What two versions of Prefect are called as variants; the second "again" if it is the same."""
    return f"Prefect {before}", f"Prefect {after}" + ", again" * (before == after)


def _recorded(
    side: Environment, order: Order, work: Path, into: Path, told: Callable[[str], object]
) -> list[dict[str, Any]]:
    """What became of every variant in an environment; `into` and its results file are in `work`."""
    # The other environment has all that this package needs, and not the package.
    code = work / "code"
    if not code.exists():
        code.mkdir()
        (code / "simulator").symlink_to(Path(simulator.__file__).parent)
    process = subprocess.Popen(
        [side.python, "-m", "simulator.upgrade.recording", order.text(), into],
        env={**os.environ, "PYTHONPATH": str(code)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            told(f"Prefect {side.prefect}: {line.strip()}")
        _, said = process.communicate()
    except BaseException:
        process.send_signal(signal.SIGINT)  # it ends what it has started, and tidies up
        process.communicate()
        raise
    if process.returncode == 130:
        raise KeyboardInterrupt
    if process.returncode != 0:
        lines = said.strip().splitlines() or [f"exit code {process.returncode}"]
        raise SimulationError(f"with Prefect {side.prefect}: {lines[-1]}")
    records: list[dict[str, Any]] = json.loads(into.read_text())
    return records
