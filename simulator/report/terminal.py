"""What `simulate` shows: progress while it runs, then tables of verdicts and measures.

On a terminal with colours and bars; elsewhere, as in the log of a CI server, in plain lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.box import ASCII2, SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from simulator.history.measures import Measure
    from simulator.scenarios import Scenario, VariantResult

LOG_WIDTH = 120
"""Columns where nobody looks: files and the logs of a CI server."""

WIDE = 80
"""Columns from which on progress has a bar, and tells which variant it is at."""

ANY_WIDTH = 100_000
"""Columns with room for every table."""


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console: colours, bars and the terminal's width on a terminal, plain and wide elsewhere.

    `COLUMNS` outranks either width, and NO_COLOR takes the colours away.
    """
    common: dict[str, Any] = {"stderr": stderr, "quiet": quiet, "highlight": False, "markup": False}
    if (sys.stderr if stderr else sys.stdout).isatty():
        return Console(**common)
    width = None if os.environ.get("COLUMNS", "").isdigit() else LOG_WIDTH
    return Console(**common, no_color=True, force_terminal=False, width=width)


def print_table(screen: Console, shown: Table) -> None:
    """Print a table. Where it would have to tear words apart, its rows stand one below the other."""
    unbounded = screen.options.update(width=ANY_WIDTH)
    measured = Measurement.get(screen, unbounded, shown)
    if measured.minimum <= screen.width:
        if measured.maximum > screen.width:
            _share(screen, shown, screen.width - measured.minimum)
        screen.print(shown)
        return
    headings = [_plain(column.header) for column in shown.columns]
    for row in zip(*(column.cells for column in shown.columns), strict=True):
        for heading, cell in zip(headings, map(_plain, row), strict=True):
            if cell:
                screen.print(f"{heading}: {cell}" if heading else cell, soft_wrap=True)
        screen.print()


def _share(screen: Console, shown: Table, room: int) -> None:
    """Give each column its longest word, and share the room that is left: who wants least has it all,
    and the widest break their lines. Rich takes from the widest alone, and tears their words.
    """
    unbounded = screen.options.update(width=ANY_WIDTH)
    wanted: list[tuple[int, int, Column]] = []
    for column in shown.columns:
        cells = [
            Measurement.get(screen, unbounded, cell) for cell in (column.header, *column.cells)
        ]
        least = max(one.minimum for one in cells)
        wanted.append((max(one.maximum for one in cells) - least, least, column))
    wanted.sort(key=lambda one: one[0])
    for number, (more, least, column) in enumerate(wanted):
        given = min(more, room // (len(wanted) - number))
        column.width = least + given
        room -= given


def _plain(cell: object) -> str:
    return "; ".join(str(cell).splitlines())


class Display:
    """Progress while scenarios run: a bar for each on a terminal, and a line per variant done."""

    def __init__(
        self, screen: Console, scenarios: Sequence[Scenario], *, verbose: bool = False
    ) -> None:
        self._screen = screen
        self._verbose = verbose
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._lived: dict[str, dict[str, float]] = {scenario.name: {} for scenario in scenarios}
        if screen.quiet or not screen.is_terminal:
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[variant]}", markup=False),
        )
        shown = columns if screen.width >= WIDE else columns[:3]
        self._progress = Progress(*shown, console=screen, transient=True)
        for scenario in scenarios:
            self._bars[scenario.name] = self._progress.add_task(
                scenario.name, start=False, total=len(scenario.variants), variant="waiting"
            )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def started(self, scenario: str, variant: str) -> None:
        """A variant has begun."""
        if self._progress is not None:
            self._progress.start_task(self._bars[scenario])
            self._progress.update(self._bars[scenario], variant=variant)

    def moved(self, scenario: str, variant: str, days: float, of_days: int) -> None:
        """A variant has come so far in virtual time."""
        if self._progress is not None:
            self._lived[scenario][variant] = min(days / of_days, 0.99)
            self._progress.update(
                self._bars[scenario],
                completed=sum(self._lived[scenario].values()),
                variant=f"{variant}, day {min(int(days) + 1, of_days)} of {of_days}",
            )

    def finished(self, result: VariantResult) -> None:
        """A variant is done: one line, which stays."""
        line = verdict(result)
        line.pad_right(8 - len(line))
        line.append(f"{result.scenario} [{result.variant}] ({result.real_seconds:.1f} s)", "none")
        self._screen.print(line, soft_wrap=True)
        if self._verbose:
            crash = [f"CRASHED: {result.error}"] if result.error else []
            for told in [*crash, *(text for one in result.verdicts for text in one.lines())]:
                self._screen.print(f"  {told}", soft_wrap=True)
        if self._progress is not None:
            lived = self._lived[result.scenario]
            lived[result.variant] = 1
            bar = self._bars[result.scenario]
            self._progress.update(bar, completed=sum(lived.values()), variant="")

    def warned(self, text: str) -> None:
        """Something that should be known."""
        screen = console(stderr=True) if self._screen.quiet else self._screen
        screen.print(Text(f"warning: {text}", "yellow"), soft_wrap=True)


def summary(
    screen: Console, scenarios: Sequence[Scenario], results: Sequence[VariantResult]
) -> None:
    """For each scenario with results: its question, the table, what broke, and its lesson."""
    for scenario in scenarios:
        own = {result.variant: result for result in results if result.scenario == scenario.name}
        if not own:
            continue
        in_order = [own[variant] for variant in scenario.variants if variant in own]
        screen.print()
        screen.print(Text(f"{scenario.name}: {scenario.question}", "bold"))
        print_table(screen, result_table(in_order))
        for result in in_order:
            for line in [f"[{result.variant}]", *result.lines()] if not result.passed else ():
                screen.print(Text(line, "red"), soft_wrap=True)
        for caveat in dict.fromkeys(caveat for result in in_order for caveat in result.caveats):
            screen.print(Text(f"caveat: {caveat}", "yellow"), soft_wrap=True)
        if scenario.lesson:
            screen.print(Text(f"Lesson: {scenario.lesson}"))
    screen.print()


def scenario_table(scenarios: Iterable[Scenario]) -> Table:
    """Name, question, patterns and variants of each scenario."""
    shown = table("scenario", "question", "patterns", "variants", lines=True)
    for scenario in scenarios:
        shown.add_row(
            Text(scenario.name, "bold"),
            Text(scenario.question),
            Text(" ".join(scenario.patterns)),
            Text("\n".join(scenario.variants)),
        )
    return shown


def result_table(results: Sequence[VariantResult]) -> Table:
    """The variants of one scenario side by side: the verdict, and each measure that has a value.

    A row per variant would not fit: there are more measures than a screen has room for.
    """
    shown = table("", *(Text(result.variant, "bold") for result in results))
    shown.add_row("verdict", *map(verdict, results))
    shown.add_row("expectations", *(Text(_count(result)) for result in results))
    shown.add_section()
    measures = [{measure.name: measure for measure in result.measures} for result in results]
    for name in dict.fromkeys(name for known in measures for name in known):
        row = [known.get(name) for known in measures]
        if any(measure is not None and measure.value is not None for measure in row):
            shown.add_row(Text(name), *(Text(figure(measure)) for measure in row))
    return shown


def verdict(result: VariantResult) -> Text:
    """One word for a variant."""
    if result.error:
        return Text("CRASHED", "bold red")
    return Text("holds", "green") if result.passed else Text("BROKEN", "bold red")


def figure(measure: Measure | None) -> str:
    """A measure for reading: shares in per cent with their interval, seconds as a clock shows."""
    if measure is None or measure.value is None:
        return "-"
    if measure.unit == "share":
        text = f"{measure.value:.0%}"
        if measure.low is not None and measure.high is not None:
            text += f" ({100 * measure.low:.0f}-{measure.high:.0%})"
        return text
    if measure.unit == "seconds":
        return duration(measure.value)
    return f"{measure.value:g}"


def duration(seconds: float) -> str:
    """Seconds as a person says them, to three figures or so: "0.25 s", "10m 05s", "2d 03h"."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.0005:
        return "0 s"
    if seconds < 60:
        return f"{round(seconds, 3):.3g} s"
    whole = round(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days}d {hours % 24:02d}h"
    if hours:
        return f"{hours}h {minutes % 60:02d}m"
    return f"{minutes}m {whole % 60:02d}s"


def _count(result: VariantResult) -> str:
    if result.error:
        return "-"
    return f"{len(result.verdicts) - len(result.broken)} of {len(result.verdicts)} hold"


def table(*headings: Text | str, lines: bool = False) -> Table:
    """An empty table: ruled on a terminal, in plain characters elsewhere."""
    terminal = sys.stdout.isatty()
    made = Table(
        box=SIMPLE_HEAD if terminal else ASCII2, show_lines=lines and not terminal, highlight=False
    )
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made
