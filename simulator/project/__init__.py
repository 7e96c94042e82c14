"""A user's own project: read, deployed in a simulation, and told what is wrong with its design.

It may import `simulation`, `report` and all below; only entry points import it. Open `simulation.py` for
how a project comes to live, `declared.py` for what a prefect.yaml says, `configuration.py` for a
simulation.toml, `findings/` for what is looked
for.
"""

from simulator.project.calendar import HEADINGS as SCHEDULE_HEADINGS
from simulator.project.calendar import (
    as_icalendar,
    schedules_as_json,
    schedules_of,
    sections_of,
)
from simulator.project.calendar import cells as schedule_cells
from simulator.project.configuration import MOST_DAYS, Configuration, configuration_of
from simulator.project.course import Course, course
from simulator.project.drafting import drafted, refuse_to_overwrite
from simulator.project.findings import KINDS, Finding
from simulator.project.opening import load, opened
from simulator.project.proposing import as_toml
from simulator.project.simulation import ProjectSimulation
from simulator.project.telling import HEADINGS, as_json, as_markdown, cells, headline, sections

__all__ = [
    "HEADINGS",
    "KINDS",
    "MOST_DAYS",
    "SCHEDULE_HEADINGS",
    "Configuration",
    "Course",
    "Finding",
    "ProjectSimulation",
    "as_icalendar",
    "as_json",
    "as_markdown",
    "as_toml",
    "cells",
    "configuration_of",
    "course",
    "drafted",
    "headline",
    "load",
    "opened",
    "refuse_to_overwrite",
    "schedule_cells",
    "schedules_as_json",
    "schedules_of",
    "sections",
    "sections_of",
]
