"""`simulate ui`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import Json, print_json
from simulator.cli.app import Folder, app
from simulator.cli.following import followed
from simulator.cli.signals import Terminated, termination_as_interrupt
from simulator.errors import SimulationError
from simulator.folders import throw_away

if TYPE_CHECKING:
    from simulator.scenarios import Scenario


@app.command()
def ui(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A scenario, which is run; or a folder of results with kept databases.",
        ),
    ],
    scenario: Annotated[
        str | None, typer.Option(help="Of a folder of results: this scenario.")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="This variant.")] = None,
    seed: Annotated[int | None, typer.Option(help="With this seed (default of a run: 0).")] = None,
    days: Annotated[
        int | None, typer.Option(help="Virtual days of a run (default: the scenario's own number).")
    ] = None,
    scenarios: Folder = Path("scenarios"),
    json: Json = False,
) -> int:
    """Open Prefect's own UI on one variant: its runs, their states and logs, at their virtual dates.

    It is a stock Prefect server on 127.0.0.1, without its services, on a copy of the simulation's
    database, which `simulate run --keep-database` keeps. Ctrl-C ends it, and nothing is left of it.
    """
    from simulator.stock import ShownServer

    try:
        with (
            termination_as_interrupt(),
            _database(name, scenario, variant, seed, days, scenarios) as database,
            ShownServer(database) as server,
        ):
            if json:
                print_json({"dashboard": server.dashboard, "api": server.url})
            else:
                print(f"Prefect's UI: {server.dashboard}\nCtrl-C ends it.")
            sys.stdout.flush()
            raise SimulationError(f"the Prefect server has ended: {server.wait()}")
    except KeyboardInterrupt as stopped:
        return 143 if isinstance(stopped, Terminated) else 130


@contextmanager
def _database(
    name: str,
    scenario: str | None,
    variant: str | None,
    seed: int | None,
    days: int | None,
    scenarios: Path,
) -> Iterator[Path]:
    """The database that is meant: a kept one, or that of a variant that is run now."""
    from simulator.scenarios import DATABASES, load, select

    folder = Path(name)
    if folder.is_dir():
        if days is not None:
            raise SimulationError(f"days ({days}) are of a run: {name!r} is a folder of results")
        yield _kept(folder, scenario, variant, seed)
        return
    if scenario is not None:
        raise SimulationError(
            f"--scenario {scenario} is of a folder of results: there is none at {name!r}"
        )
    [chosen] = select(load(scenarios), [name])
    one = chosen.the_variant(variant)
    with throw_away("simulate-") as work:
        (work / DATABASES).mkdir()
        yield _of_a_run(
            replace(chosen, variants={one: chosen.variants[one]}), seed or 0, days, work
        )


def _kept(folder: Path, scenario: str | None, variant: str | None, seed: int | None) -> Path:
    from simulator.history import some_of
    from simulator.scenarios import DATABASES, kept_databases

    kept = kept_databases(folder / DATABASES)
    if not kept:
        raise SimulationError(
            f"there is no database in {str(folder)!r}: `simulate run --keep-database` keeps them"
        )
    found = some_of(kept, folder, scenario=scenario, variant=variant, seed=seed)
    if len(found) > 1:
        known = ", ".join(f"{name} [{one}], seed {number}" for name, one, number in found)
        raise SimulationError(f"which one? Say it by --scenario, --variant and --seed: {known}")
    [database] = found.values()
    return database


def _of_a_run(scenario: Scenario, seed: int, days: int | None, work: Path) -> Path:
    """Run the one variant of this scenario, and return its database."""
    from simulator.report import Display, console
    from simulator.scenarios import DATABASES, kept_databases, run_scenarios

    databases = work / DATABASES
    events = run_scenarios([scenario], seed=seed, days=days, jobs=1, logs=work, databases=databases)
    with Display(console(stderr=True), [scenario]) as display, closing(events):
        [result] = followed(events, display)
    if not (kept := kept_databases(databases)):
        raise SimulationError(f"there is nothing to show of {scenario.name!r}: {result.error}")
    [database] = kept.values()
    return database
