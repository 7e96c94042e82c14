"""What people look at: tables in a terminal.

It reads verdicts and histories, and imports nothing that runs. Open `terminal.py`.
"""

from simulator.report.terminal import Display, console, duration, scenario_table, summary, table

__all__ = [
    "Display",
    "console",
    "duration",
    "scenario_table",
    "summary",
    "table",
]
