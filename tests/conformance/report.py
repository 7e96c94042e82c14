"""What came out of a conformance run: lines and a table to read, and `docs/fidelity.md`."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simulator.versions import series
from tests.conformance.case import Case
from tests.conformance.compare import Difference
from tests.conformance.known import KNOWN
from tests.fuzz.known import KNOWN as FOUND

FILE = Path(__file__).parents[2] / "docs" / "fidelity.md"


@dataclass(frozen=True)
class Verdict:
    """On one case: differences that are not listed, and those that are."""

    case: Case
    unlisted: list[str]
    known: list[Difference]
    virtual_seconds: float
    live_seconds: float

    @property
    def agrees(self) -> bool:
        return not self.unlisted

    @property
    def outcome(self) -> str:
        if self.unlisted:
            return "differs"
        if self.case.live_only:
            return "holds (live only)"
        return "known difference" if self.known else "agrees"


def line(console: Console, verdict: Verdict) -> None:
    """Say how a case went, as soon as it has."""
    colour = "green" if verdict.agrees else "red"
    console.print(
        f"[{colour}]{verdict.outcome:18}[/] {verdict.case.name}"
        f"  [dim]virtual {verdict.virtual_seconds:.1f} s, live {verdict.live_seconds:.1f} s[/]"
    )
    _differences(console, verdict)


def _differences(console: Console, verdict: Verdict) -> None:
    for difference in verdict.unlisted:
        console.print(f"    {escape(difference)}", highlight=False, soft_wrap=True)


def table(console: Console, verdicts: Sequence[Verdict], seconds: float) -> None:
    """Print how many cases agree, by section, and which do not: the end of a log tells why it is red."""
    shown = Table("section", "cases", "agree", "differ", box=None)
    for section in dict.fromkeys(verdict.case.section for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.case.section == section]
        agree = sum(verdict.agrees for verdict in own)
        shown.add_row(section, str(len(own)), str(agree), str(len(own) - agree))
    console.print(shown)
    agree = sum(verdict.agrees for verdict in verdicts)
    for verdict in verdicts:
        if not verdict.agrees:
            console.print(f"[red]{verdict.outcome}[/] {verdict.case.name}")
            _differences(console, verdict)
    console.print(f"{agree} of {len(verdicts)} cases agree, in {seconds:.0f} s")


def write(verdicts: Sequence[Verdict]) -> None:
    """Renew what `docs/fidelity.md` says of this series of Prefect, and keep what it says of others."""
    before = FILE.read_text() if FILE.exists() else ""
    FILE.write_text(document(verdicts, series(), before))


def document(verdicts: Sequence[Verdict], here: str, before: str = "") -> str:
    """The text of `docs/fidelity.md`; `before` is what stands there, with the columns of all series."""
    columns = _columns(before)
    columns[here] = {verdict.case.name: verdict.outcome for verdict in verdicts}
    summaries = _summaries(before)
    summaries[here] = _summary(verdicts)
    order = sorted(columns, key=_number, reverse=True)
    lines = [
        "# Fidelity",
        "",
        "Does the simulator say what really happens? `make conformance` runs the same cases on the",
        "virtual engine and on a live one: a stock `prefect server start` with stock process workers,",
        "in real time. It compares which runs there are and who called them, final states, messages,",
        "the sequence of states, run counts, tasks, the order of runs, and how long each waited.",
        "This page is written by that command, a column by each series of Prefect"
        " (`make conformance PREFECT=3.8`).",
        "",
        *(f"- Prefect {one}: {summaries[one]}" for one in order),
        "",
        "## Known differences",
        "",
        *(_known() or ["None."]),
        "",
        "## Programs made up by machine",
        "",
        "`make fuzz` draws programs from a grammar of what people write, runs each on both engines, and",
        "compares these as above, and what a program has noted, logged and left in files and tables.",
        "What it has found and is not mended:",
        "",
        *([f"- {one.construct}: {one.reason}" for one in FOUND] or ["Nothing."]),
        "",
        "## What Prefect itself does differently",
        "",
        "Both engines do what stands here; each case asserts it.",
        "",
        f"| case | {' | '.join(order)} |",
        f"|---|{'---|' * len(order)}",
    ]
    for verdict in verdicts:
        if verdict.case.series:
            said = " | ".join(verdict.case.series[one] for one in order)
            lines.append(f"| `{verdict.case.name}` | {said} |")
    lines += ["", "## Cases", ""]
    for section in dict.fromkeys(verdict.case.section for verdict in verdicts):
        head = f"| case | shows | {' | '.join(order)} |"
        lines += [f"### {section}", "", head, f"|---|---|{'---|' * len(order)}"]
        for verdict in verdicts:
            if verdict.case.section == section:
                name = verdict.case.name
                outcomes = " | ".join(columns[one].get(name, "not run yet") for one in order)
                lines.append(f"| `{name}` | {verdict.case.shows} | {outcomes} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _summary(verdicts: Sequence[Verdict]) -> str:
    both = [verdict for verdict in verdicts if not verdict.case.live_only]
    agree = sum(verdict.outcome == "agrees" for verdict in both)
    known = sum(verdict.outcome == "known difference" for verdict in both)
    differ = len(both) - agree - known
    return (
        f"**{agree} of {len(both)} cases agree**, {known} with a known difference, {differ} differ;"
        f" {len(verdicts) - len(both)} more run on the live engine alone ({_versions()})."
    )


def _summaries(text: str) -> dict[str, str]:
    """What a page says of each series on the whole."""
    return dict(re.findall(r"^- Prefect (\d+\.\d+): (.+)$", text, re.MULTILINE))


def _columns(text: str) -> dict[str, dict[str, str]]:
    """The outcome of each case in each series, as a page has them."""
    columns: dict[str, dict[str, str]] = {}
    named: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:2] == ["case", "shows"]:
            named = cells[2:]
        elif line.startswith("| `") and named and len(cells) == 2 + len(named):
            for series_, outcome in zip(named, cells[2:], strict=True):
                columns.setdefault(series_, {})[cells[0].strip("`")] = outcome
    return columns


def _number(series_: str) -> tuple[int, ...]:
    return tuple(map(int, series_.split(".")))


def _versions() -> str:
    engines = ("prefect", "sqlalchemy", "fastapi", "anyio", "httpx")
    named = [f"{name} {version(name)}" for name in engines]
    return ", ".join([*named, f"Python {platform.python_version()}"])


def _known() -> Iterable[str]:
    return [f"- `{one.case}` ({', '.join(one.what)}): {one.reason}" for one in KNOWN]
