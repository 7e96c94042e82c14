"""What came out of a conformance run: lines and a table to read, and `docs/fidelity.md`."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.conformance.case import Case
from tests.conformance.compare import Difference
from tests.conformance.known import KNOWN

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


def document(verdicts: Sequence[Verdict]) -> str:
    """The text of `docs/fidelity.md`."""
    both = [verdict for verdict in verdicts if not verdict.case.live_only]
    agree = sum(verdict.outcome == "agrees" for verdict in both)
    known = sum(verdict.outcome == "known difference" for verdict in both)
    differ = len(both) - agree - known
    lines = [
        "# Fidelity",
        "",
        "Does the simulator say what really happens? `make conformance` runs the same cases on the",
        "virtual engine and on a live one: a stock `prefect server start` with stock process workers,",
        "in real time. It compares which runs there are and who called them, final states, messages,",
        "the sequence of states, run counts, tasks, the order of runs, and how long each waited.",
        "This page is written by that command.",
        "",
        f"- **{agree} of {len(both)} cases agree**, {known} with a known difference, {differ} differ;"
        f" {len(verdicts) - len(both)} more run on the live engine alone.",
        f"- Versions: {_versions()}.",
        "",
        "## Known differences",
        "",
        *(_known() or ["None."]),
        "",
        "## Cases",
        "",
    ]
    for section in dict.fromkeys(verdict.case.section for verdict in verdicts):
        lines += [f"### {section}", "", "| case | shows | |", "|---|---|---|"]
        lines += [
            f"| `{verdict.case.name}` | {verdict.case.shows} | {verdict.outcome} |"
            for verdict in verdicts
            if verdict.case.section == section
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _versions() -> str:
    engines = ("prefect", "sqlalchemy", "fastapi", "anyio", "httpx")
    named = [f"{name} {version(name)}" for name in engines]
    return ", ".join([*named, f"Python {platform.python_version()}"])


def _known() -> Iterable[str]:
    return [f"- `{one.case}` ({', '.join(one.what)}): {one.reason}" for one in KNOWN]
