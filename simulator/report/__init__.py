"""What people look at: tables in a terminal, and a page for a browser.

It reads verdicts and histories, and imports nothing that runs. Open `terminal.py` for the tables,
`page.py` for the page, `lanes.py` for its lanes in plain characters, `watching.py` for the page of a run
that goes on.
"""

from simulator.report.differing import counted, difference_lines, few_lines, few_of_each_variant
from simulator.report.exports import export
from simulator.report.lanes import text_lanes
from simulator.report.page import write_lesson_page, write_page
from simulator.report.terminal import (
    Display,
    console,
    duration,
    print_table,
    scenario_table,
    summary,
    table,
)
from simulator.report.watching import Watched

__all__ = [
    "Display",
    "Watched",
    "console",
    "counted",
    "difference_lines",
    "duration",
    "export",
    "few_lines",
    "few_of_each_variant",
    "print_table",
    "scenario_table",
    "summary",
    "table",
    "text_lanes",
    "write_lesson_page",
    "write_page",
]
