"""What a simulated day costs, as ratios within one run: `make bench`.

An hourly parent with three `run_deployment` children lives through a simulated day: 96 flow runs
through the scheduler, the worker and the polls. Beside it, in the same simulation, 96 bare subflows
of one parent: what Prefect's engine and server cost without any of that.

Then a flow with one task that runs each minute, as some projects have it, beside as many bare subflows
with one task.

Figures in seconds say something about the machine, and only the ratio about the simulator.
"""

import importlib
import resource
import sys
import time
from collections.abc import Callable

from prefect import flow, task
from prefect.deployments import run_deployment

HOURS = 24
CHILDREN = 3
RUNS = HOURS * (1 + CHILDREN)
TARGET = 3.0
ROUNDS = 3
MINUTES = 120
MANY, MANY_MINUTES = 5000, 10  # so many runs that come each minute, in so many minutes on one core

cpu = time.process_time  # real by right: no simulation leads it elsewhere


@flow
def child(number: int = 0) -> None:
    """Do nothing."""


@flow
def parent() -> None:
    """Order three children, one after the other."""
    for number in range(CHILDREN):
        run_deployment("child/dev", parameters={"number": number})


@flow
def bare() -> None:
    """Do nothing."""


@flow
def subflows() -> None:
    """As many subflows as the day has flow runs."""
    for _ in range(RUNS):
        bare()


@task
def works() -> None:
    """Do nothing."""


@flow
def works_once() -> None:
    """What runs each minute."""
    works()


@flow
def works_as_often() -> None:
    """As many subflows with one task as there are minutes."""
    for _ in range(MINUTES):
        works_once()


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    began = cpu()
    work()
    return cpu() - began


def one_round() -> tuple[float, float, float]:
    """CPU seconds of start-up, of the bare subflows, and of the simulated day."""
    from simulator import Simulation

    began = cpu()
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        opened = cpu() - began
        plain = timed(lambda: sim.run(subflows))
        sim.deploy(child, name="dev")
        sim.deploy(parent, name="dev", cron="0 * * * *")
        day = timed(lambda: sim.advance(hours=HOURS, minutes=5))
        assert len(sim.runs("bare")) == RUNS
        assert len(sim.runs("parent", state="Completed")) == HOURS
        assert len(sim.runs("child", state="Completed")) == HOURS * CHILDREN
    return opened, plain, day


def each_minute() -> tuple[float, float]:
    """CPU seconds of the bare subflows with one task, and of as many runs that come each minute."""
    from simulator import Simulation

    with Simulation(start="2026-01-05T00:00:00Z", modules="fresh") as sim:
        plain = timed(lambda: sim.run(works_as_often))
        sim.deploy(works_once, name="dev", cron="* * * * *")
        often = timed(lambda: sim.advance(minutes=MINUTES, seconds=30))
        assert len(sim.runs(deployment="works-once/dev", state="Completed")) == MINUTES
    return plain, often


def import_of(name: str, load: Callable[[], object]) -> float:
    """CPU seconds that the fastest of some imports of a module takes."""
    found = []
    for _ in range(20):
        kept = sys.modules.pop(name, None)
        found.append(timed(load))
        if kept is not None:
            sys.modules[name] = kept
    return min(found)


def fresh() -> tuple[float, float]:
    """CPU seconds of an import of this module, and of one for a process that has modules of its own."""
    from simulator.process import ProjectModules

    name = "pipelines.fire_and_forget"
    plain = import_of(name, lambda: importlib.import_module(name))
    modules = ProjectModules()
    modules.represent()
    try:
        return plain, import_of(name, lambda: modules._import(name, {}))  # noqa: SLF001
    finally:
        modules.withdraw()


def main() -> None:
    """Run the rounds and print the medians."""
    first = timed(_import)
    plain_import, fresh_import = fresh()
    rounds = [one_round() for _ in range(ROUNDS)]
    opened, plain, day = (sorted(figures)[ROUNDS // 2] for figures in zip(*rounds, strict=True))
    plain_minutes, minutes = (
        sorted(figures)[ROUNDS // 2]
        for figures in zip(*(each_minute() for _ in range(ROUNDS)), strict=True)
    )
    ratio = sorted(one[2] / one[1] for one in rounds)[ROUNDS // 2]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"import of everything             {first:8.2f} s")
    print(f"import of a module with flows    {plain_import * 1000:8.2f} ms")
    print(f"the same anew for a run          {fresh_import * 1000:8.2f} ms  (modules='fresh')")
    print(f"start-up of a simulation         {opened:8.2f} s   (median of {ROUNDS})")
    print(
        f"{RUNS} bare subflows                 {plain:8.2f} s   {plain / RUNS * 1000:5.0f} ms each"
    )
    print(f"{RUNS} runs of a simulated day       {day:8.2f} s   {day / RUNS * 1000:5.0f} ms each")
    print(f"ratio day / bare                 {ratio:8.2f}     (target: at most {TARGET:g})")
    print(
        f"{MINUTES} bare subflows with a task    {plain_minutes:8.2f} s"
        f"   {plain_minutes / MINUTES * 1000:5.0f} ms each"
    )
    print(
        f"{MINUTES} runs of it, each minute      {minutes:8.2f} s"
        f"   {minutes / MINUTES * 1000:5.0f} ms each"
    )
    print(
        f"{MANY:,} such runs                 {minutes / MINUTES * MANY / 60:8.1f} min"
        f"  (target: at most {MANY_MINUTES})"
    )
    print(f"simulated seconds per CPU second  {HOURS * 3600 / day:8.0f}")
    print(f"peak memory                      {memory:8.0f} MiB")


def _import() -> None:
    import simulator.server
    import simulator.warehouse  # noqa: F401  imported for its time alone


if __name__ == "__main__":
    main()
