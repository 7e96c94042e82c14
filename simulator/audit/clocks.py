"""What a change of clocks does to the schedules of a project: cells for which nothing has to be run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from simulator.audit.cells import Cell
from simulator.audit.judging import Outcome
from simulator.audit.table import Found
from simulator.project import schedules_of

COLUMN = "clocks"
IN_WORDS = "a change of clocks within a year skips, doubles or moves a run"

A_YEAR = 366
"""So many days from the start on are looked at: in each zone the clocks change, if they do."""

KINDS = {"skipped": "lost run", "doubled": "doubled work", "moved": "moved"}


def clock_changes(folder: Path, start: datetime, prefect_file: str | None = None) -> list[Found]:
    """A cell for each deployment of which a run is skipped, doubled or moved in the year from `start`.
    Schedules that are none are told where the project is loaded. `prefect_file` takes the place of the
    project's prefect.yaml.
    """
    found: dict[str, list[Outcome]] = {}
    schedules, _ = schedules_of(folder, start, A_YEAR, prefect_file)
    for schedule in schedules:
        for change in schedule.changes if schedule.active else ():
            if change.kind in KINDS:
                said = f"{schedule.deployment} on {change.day}, {change.kind}: {change.text}"
                found.setdefault(schedule.deployment, []).append(Outcome(KINDS[change.kind], said))
    return [
        Found(Cell(step, COLUMN, {}, UUID(int=0)), tuple(sorted(own, key=lambda one: one.severity)))
        for step, own in found.items()
    ]
