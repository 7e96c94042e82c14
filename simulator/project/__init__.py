"""A user's own project: read, deployed in a simulation, and told what is wrong with its design.

It may import `simulation`, `report` and all below; only entry points import it. Open `simulation.py` for
how a project comes to live, `declared.py` for what a prefect.yaml says, `configuration.py` for a
simulation.toml, `findings/` for what is looked
for.
"""

from simulator.project.calendar import HEADINGS as SCHEDULE_HEADINGS
from simulator.project.calendar import (
    WEEKDAYS,
    as_icalendar,
    months_of,
    schedules_as_json,
    schedules_of,
    sections_of,
)
from simulator.project.calendar import cells as schedule_cells
from simulator.project.comparing import (
    WORSE,
    Comparison,
    compared,
    comparison_as_json,
    comparison_as_markdown,
    in_sections,
    sides,
    title,
)
from simulator.project.configuration import MOST_DAYS, Configuration, configuration_of
from simulator.project.copying import copied, home_of, moved
from simulator.project.course import Course, course
from simulator.project.drafting import drafted, refuse_to_overwrite
from simulator.project.findings import KINDS, Finding, recorded
from simulator.project.loading import hinted
from simulator.project.opening import load, opened
from simulator.project.proposing import as_toml
from simulator.project.settings import Setting, settings_of
from simulator.project.simulation import ProjectSimulation
from simulator.project.telling import HEADINGS, as_json, as_markdown, cells, headline, ran, sections

__all__ = [
    "HEADINGS",
    "KINDS",
    "MOST_DAYS",
    "SCHEDULE_HEADINGS",
    "WEEKDAYS",
    "WORSE",
    "Comparison",
    "Configuration",
    "Course",
    "Finding",
    "ProjectSimulation",
    "Setting",
    "as_icalendar",
    "as_json",
    "as_markdown",
    "as_toml",
    "cells",
    "compared",
    "comparison_as_json",
    "comparison_as_markdown",
    "configuration_of",
    "copied",
    "course",
    "drafted",
    "headline",
    "hinted",
    "home_of",
    "in_sections",
    "load",
    "months_of",
    "moved",
    "opened",
    "ran",
    "recorded",
    "refuse_to_overwrite",
    "schedule_cells",
    "schedules_as_json",
    "schedules_of",
    "sections",
    "sections_of",
    "settings_of",
    "sides",
    "title",
]
