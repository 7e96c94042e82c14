"""A comparison for reading: on the terminal, and as a page of Markdown."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from simulator.report import counted, difference_lines, few_of_each_variant
from simulator.scenarios import Scenario
from simulator.upgrade.comparing import Comparison


def as_text(comparison: Comparison, *, every: bool = False) -> str:
    """The differences in words, grouped by kind, each with the run that shows it.

    Of many of one kind in a variant the first few, unless `every` one is asked for.
    """
    lines = difference_lines(
        comparison.differences, comparison.before, comparison.after, every=every
    )
    summary = (
        f"Prefect {comparison.before} and {comparison.after}, {comparison.variants} variants, "
        f"seed {comparison.seed}: {counted(comparison.differences)}"
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
        for shown, left_out in few_of_each_variant(own):
            for one in shown:
                cells = (one.kind, one.variant, one.where, one.before, one.after)
                lines.append("| " + " | ".join(map(_cell, cells)) + " |")
            if left_out:
                lines.append(f"| {shown[0].kind} | {shown[0].variant} | {left_out} more | | |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
