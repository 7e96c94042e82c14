"""What a long simulation costs from its first tenth to its last: `make bench-long`, or

    python -m benchmarks.long [--days 90] [--of five-minutes]

`hourly`: an hourly parent with one child by `run_deployment`, for ninety days. `five-minutes`: twelve
deployments every five minutes, for a week. For each tenth: CPU time a run, memory, threads, open files,
the size of the database, and what it costs to ask for all runs. Exits with 1 if a tenth's CPU time or
growth of the database a run is more than a fifth off that of the median tenth.
"""

import argparse
import statistics
import sys
import threading
import time
from pathlib import Path

from prefect import flow
from prefect.deployments import run_deployment

TOLERANCE = 0.20
DAYS = {"hourly": 90, "five-minutes": 7}

cpu = time.process_time  # real by right: no simulation leads it elsewhere


@flow
def child() -> None:
    """Do nothing."""


@flow
def parent() -> None:
    """Order a child."""
    run_deployment("child/dev")


@flow
def often() -> None:
    """Do nothing."""


def main() -> None:
    """Run one of them, and print a line for each tenth."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--of", choices=list(DAYS), default="hourly")
    asked.add_argument("--days", type=float, default=None)
    given = asked.parse_args()
    tenths = lived(given.of, given.days or DAYS[given.of])
    off = [
        f"{what}: {worst:+.0%} off the median tenth"
        for what, worst in (
            ("CPU time a run", _worst(tenths, 0)),
            ("database a run", _worst(tenths, 1)),
        )
        if abs(worst) > TOLERANCE
    ]
    print("\n".join(off) or f"every tenth is within {TOLERANCE:.0%} of the median")
    sys.exit(1 if off else 0)


def lived(of: str, days: float) -> list[tuple[float, float]]:
    """Live through it. For each tenth the CPU seconds and the bytes of the database a run."""
    from simulator import Simulation

    print(f"{of}, {days:g} days")
    print("tenth    runs  CPU ms/run  MiB  threads  files  database MiB  ms to ask for all runs")
    tenths: list[tuple[float, float]] = []
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        if of == "hourly":
            sim.deploy(child, name="dev")
            sim.deploy(parent, name="dev", cron="0 * * * *")
        else:
            for number in range(12):
                sim.deploy(often, name=f"dev-{number}", interval=300)
        database, known, size = sim.folder / "prefect.db", 0, 0
        for tenth in range(1, 11):
            began = cpu()
            sim.advance(days=days / 10)
            spent, began = cpu() - began, cpu()
            runs = len(sim.runs())
            asking = cpu() - began
            grown = sum(file.stat().st_size for file in database.parent.glob("prefect.db*"))
            tenths.append((spent / (runs - known), (grown - size) / (runs - known)))
            print(
                f"{tenth:5}  {runs:6}  {spent / (runs - known) * 1000:10.1f}  {_memory():3.0f}"
                f"  {threading.active_count():7}  {_files():5}  {grown / 2**20:12.1f}"
                f"  {asking * 1000:22.0f}",
                flush=True,
            )
            known, size = runs, grown
    return tenths


def _worst(tenths: list[tuple[float, float]], which: int) -> float:
    """The share by which the tenth that is farthest from the median is off it. The first one holds the
    start-up, and is left out.
    """
    figures = [one[which] for one in tenths[1:]]
    median = statistics.median(figures)
    return max((figure / median - 1 for figure in figures), key=abs)


def _memory() -> float:
    """Resident MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


if __name__ == "__main__":
    main()
