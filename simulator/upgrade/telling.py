"""A comparison for reading: on the terminal, and as a page of Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from simulator.scenarios import Scenario
from simulator.upgrade.comparing import Comparison
from simulator.upgrade.differences import Difference

SHOWN = 3
"""How many differences of one kind are shown of one variant; the others are counted."""


def as_text(comparison: Comparison) -> str:
    """The differences in words, grouped by kind, each with the run that shows it."""
    lines = []
    for kind, alike in groupby(comparison.differences, key=lambda one: one.kind):
        of_kind = list(alike)
        lines += ["", f"{kind} ({len(of_kind)})"]
        for shown, left_out in _few_of_each_variant(of_kind):
            for one in shown:
                lines.append(f"  {_place(one)}")
                lines.append(f"      {comparison.before}: {one.before}")
                lines.append(f"      {comparison.after}: {one.after}")
            if left_out:
                lines.append(f"  and {left_out} more of {shown[0].scenario} [{shown[0].variant}]")
    count = len(comparison.differences)
    differ = "no difference" if not count else f"{count} difference{'s' * (count != 1)}"
    summary = (
        f"Prefect {comparison.before} and {comparison.after}, {comparison.variants} variants, "
        f"seed {comparison.seed}: {differ}"
    )
    return "\n".join([*lines, "", summary]).lstrip("\n")


def as_page(comparison: Comparison, scenarios: Sequence[Scenario], command: str) -> str:
    """A page that tells, question by question, what changes from one version to the other."""
    python = ".".join(map(str, sys.version_info[:2]))
    lines = [
        f"# From Prefect {comparison.before} to {comparison.after}",
        "",
        f"Written by `{command}` on Python {python}: the same flows, the same seed, both versions.",
    ]
    for scenario in scenarios:
        own = [one for one in comparison.differences if one.scenario == scenario.name]
        lines += ["", f"## {scenario.question}", "", scenario.lesson or "", ""]
        lines += [f"[{scenario.name}]({scenario.file.parent.name}/{scenario.file.name})", ""]
        if not own:
            lines.append("Nothing differs.")
            continue
        lines += [
            f"| what | variant | where | {comparison.before} | {comparison.after} |",
            "|---|---|---|---|---|",
        ]
        for shown, left_out in _few_of_each_variant(own):
            for one in shown:
                cells = (one.kind, one.variant, one.where, one.before, one.after)
                lines.append("| " + " | ".join(map(_cell, cells)) + " |")
            if left_out:
                lines.append(f"| {shown[0].kind} | {shown[0].variant} | {left_out} more | | |")
    return "\n".join(lines) + "\n"


def _few_of_each_variant(
    alike: Sequence[Difference],
) -> Iterator[tuple[list[Difference], int]]:
    for _, group in groupby(alike, key=lambda one: (one.kind, one.scenario, one.variant)):
        all_of_it = list(group)
        yield all_of_it[:SHOWN], len(all_of_it) - SHOWN if len(all_of_it) > SHOWN else 0


def _place(one: Difference) -> str:
    return f"{one.scenario} [{one.variant}]" + (f": {one.where}" if one.where else "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
