"""`simulate schedule`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import Json, exclusive
from simulator.cli.apart import apart
from simulator.cli.app import PrefectFile, ProjectFolder, app, in_project, instant_of
from simulator.errors import SimulationError

if TYPE_CHECKING:
    from rich.console import Console


@app.command()
def schedule(
    folder: ProjectFolder = Path(),
    days: Annotated[int, typer.Option(help="So many days from the start on.")] = 365,
    start: Annotated[
        str, typer.Option(help="First instant, aware or a date in UTC (default: today).")
    ] = "",
    prefect_file: PrefectFile = None,
    calendar: Annotated[
        bool, typer.Option("--calendar", help="Print how many runs are due on each day.")
    ] = False,
    json: Json = False,
    icalendar: Annotated[
        bool, typer.Option("--icalendar", help="Print a calendar with an event for each run.")
    ] = False,
) -> None:
    """Say when each deployment of a project would run. Nothing is run.

    Days on which clocks change are marked, with the runs that are skipped, doubled or moved there, and
    instants at which many are due. Prefect's own schedules give the dates. What its simulation.toml says
    of the start and the time zone holds; of flows whose durations it gives, the runs that overlap are
    told.
    """
    from datetime import UTC, datetime, timedelta

    from simulator import arguments, project
    from simulator.report import console

    if not 1 <= days <= project.MOST_DAYS:
        raise SimulationError(f"days={days} must be between 1 and {project.MOST_DAYS}")
    exclusive(calendar=calendar, json=json, icalendar=icalendar)
    if not folder.is_dir():
        raise SimulationError(f"there is no folder {str(folder)!r}")
    now = datetime.now(UTC)
    named = in_project(folder, prefect_file)
    told = project.configuration_of(folder)
    today = told.start or f"{now:%Y-%m-%d}T00:00:00Z"
    first = arguments.instant("start", instant_of(start) or today)
    with apart():
        found, wrong = project.schedules_of(folder, first, days, named or told.prefect_file)
    missing = [f"{one.name} ({one.where}): {one.cause}" for one in wrong]
    if missing and not found:
        raise SimulationError(f"no schedule could be read: {'; '.join(missing)}")
    for one in missing if json or icalendar else ():
        print(f"not loaded: {one}", file=sys.stderr)
    if json:
        print(project.schedules_as_json(found))
        return
    if icalendar:
        print(project.as_icalendar(found, now), end="")
        return
    screen = console()
    screen.print(
        f"{folder.absolute().name}: {days} days from {first:%Y-%m-%d}, times in {told.timezone}"
    )
    refused = [(f"Not loaded: {len(missing)}", missing)] if missing else []
    if calendar:
        months = project.months_of(found, told.timezone, first, first + timedelta(days=days))
        _print_tables(screen, project.WEEKDAYS, months)
        _print_sections(screen, [("Day: runs; * where clocks change", []), *refused])
    else:
        rows = [project.schedule_cells(each, told.timezone) for each in found]
        _print_tables(screen, project.SCHEDULE_HEADINGS, [("", rows)])
        below = project.sections_of(found, told.timezone, told.durations, told.seed)
        _print_sections(screen, [*refused, *below])


def _print_tables(
    screen: Console, headings: Iterable[str], tables: Iterable[tuple[str, list[tuple[str, ...]]]]
) -> None:
    from simulator.report import print_table, table

    for title, lines in tables:
        if title:
            screen.print(f"\n{title}", style="bold")
        rows = table(*headings)
        for line in lines:
            rows.add_row(*line)
        print_table(screen, rows)


def _print_sections(screen: Console, sections: Iterable[tuple[str, list[str]]]) -> None:
    for title, lines in sections:
        screen.print(f"\n{title}", style="bold")
        for line in lines:
            screen.print(f"  {line}", soft_wrap=True)
