"""Two courses of one project, as it is and with other settings: what became better, and what worse."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from simulator.project.copying import copied, moved
from simulator.project.course import Course, Row, course
from simulator.project.findings import Finding, in_order
from simulator.project.opening import load, opened
from simulator.project.settings import Setting, check_names, put
from simulator.project.telling import HEADINGS, cells, escaped, told_of
from simulator.report import duration

BETTER, WORSE, OTHERWISE = "better", "worse", "otherwise"

VERDICTS = (BETTER, WORSE, OTHERWISE)
"""What may be said of something that differs. It is otherwise where nobody can say without knowing the
project."""


IN_ROWS = ("fails", "starved", "late", "overlap")
"""Findings of which a row of the table says how often they are seen."""


@dataclass(frozen=True)
class Change:
    """Something that differs with the settings: one of `VERDICTS`, of whom, and what, in words."""

    verdict: str
    subject: str
    said: str


@dataclass(frozen=True)
class Comparison:
    """A project without and with settings, under the same faults and the same seed."""

    settings: tuple[Setting, ...]
    without: Course
    with_: Course

    def changes(self) -> list[Change]:
        """All that differs: what is better, then what is worse, then the rest."""
        found = [*_findings(self.without, self.with_), *_promises(self.without, self.with_)]
        for one, other in self.rows():
            found += _of_rows(one, other)
        return sorted(found, key=lambda change: VERDICTS.index(change.verdict))

    def rows(self) -> list[tuple[Row, Row]]:
        """Each deployment on both sides."""
        there = {row.deployment: row for row in self.with_.rows}
        return [
            (row, there[row.deployment]) for row in self.without.rows if row.deployment in there
        ]


def compared(
    folder: Path,
    settings: Sequence[Setting],
    scripts: Sequence[Path] = (),
    *,
    days: float,
    start: Any = None,
    seed: int | None = None,
    prefect_file: str | None = None,
) -> Comparison:
    """Let a project live twice, as it is and with settings, each time in a copy of its folder, so that
    neither finds what the other has written.

    Raises SimulationError for what is no project, and for a setting of what is not in it.
    """
    there = folder.absolute()
    courses = []
    for one in ((), tuple(settings)):
        with (
            copied(there) as copy,
            opened(copy, start=start, seed=seed, prefect_file=prefect_file) as sim,
        ):
            load(sim, [moved(script, there, copy) for script in scripts])
            check_names(sim, settings)  # before the first life, not after it
            put(sim, one)
            sim.advance(timedelta(days=days))
            courses.append(course(sim, there))
    return Comparison(tuple(settings), *courses)


# -- what differs --------------------------------------------------------------------------------------


def _findings(without: Course, with_: Course) -> Iterator[Change]:
    runs = [{row.deployment: row.runs for row in side.rows} for side in (without, with_)]
    sides = [_by_kind(side.findings) for side in (without, with_)]
    gone = [one for key, found in sides[0].items() for one in found[len(sides[1][key]) :]]
    new = [one for key, found in sides[1].items() for one in found[len(sides[0][key]) :]]
    for verdict, word, found in ((BETTER, "gone", gone), (WORSE, "new", new)):
        for one in in_order(found):
            yield Change(verdict, one.subject, f"{word}: {one.kind}: {one.sentence}")
    for key, found in [one for one in sides[0].items() if one[0][0] not in IN_ROWS]:
        for one, other in zip(found, sides[1][key], strict=False):
            of = [side.get(one.subject, 0) for side in runs]
            if verdict := _fewer_of(one.times, of[0], other.times, of[1]):
                said = f"{one.kind}: seen {other.times} times in place of {one.times}"
                yield Change(verdict, one.subject, said)


def _by_kind(findings: Iterable[Finding]) -> dict[tuple[str, str], list[Finding]]:
    found: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for one in findings:
        found[one.kind, one.subject].append(one)
    return found


def _promises(without: Course, with_: Course) -> Iterator[Change]:
    kept = {one.name: one.kept for one in without.promises}
    for one in with_.promises:
        if one.kept != kept.get(one.name, one.kept):
            said = "the promise is kept now" if one.kept else f"the promise is broken: {one.said}"
            yield Change(BETTER if one.kept else WORSE, one.name, said)


def _of_rows(one: Row, other: Row) -> Iterator[Change]:
    name = one.deployment
    of = "" if one.runs == other.runs else f" ({other.runs} runs in place of {one.runs})"
    for what, counts in (
        ("runs that end badly", (one.failed, other.failed)),
        ("runs that are Late", (one.late, other.late)),
        ("attempts more than one", (one.retries, other.retries)),
    ):
        if verdict := _fewer_of(counts[0], one.runs, counts[1], other.runs):
            said = f"{what}: {counts[1]} in place of {counts[0]}{of}"
            yield Change(verdict, name, said)
    median, longest = (
        (one.median_seconds, other.median_seconds),
        (one.longest_seconds, other.longest_seconds),
    )
    durations = (
        [("duration", median)]
        if median == longest
        else [("median duration", median), ("longest duration", longest)]
    )
    waited = ("longest time from due to begun", (one.waited_seconds, other.waited_seconds))
    for what, times in (*durations, waited):
        words = ["none" if seconds is None else duration(seconds) for seconds in times]
        if words[0] != words[1]:
            yield Change(_less(*times), name, f"{what}: {words[1]} in place of {words[0]}")
    if one.at_once != other.at_once:
        said = f"runs at once: {other.at_once} in place of {one.at_once}"
        yield Change(_less(one.at_once, other.at_once), name, said)
    if one.runs != other.runs:
        yield Change(OTHERWISE, name, f"runs: {other.runs} in place of {one.runs}")


def _less(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return OTHERWISE
    return BETTER if after < before else WORSE


def _fewer_of(before: int, of_before: int, after: int, of_after: int) -> str:
    """Whether there is less of something bad: in number and, of another number of runs, in share; it
    is otherwise if the two do not agree. Empty if it is the same.
    """
    if before == after:
        return ""
    share = after * max(of_before, 1) - before * max(of_after, 1)
    if (after - before) * share < 0:
        return OTHERWISE
    return BETTER if after < before else WORSE


# -- in words ------------------------------------------------------------------------------------------


def title(comparison: Comparison) -> str:
    """What was compared, in one line."""
    one = comparison.without
    days = (one.end - one.start).total_seconds() / 86400
    return (
        f"{one.folder.name}: {days:g} days from {one.start.astimezone(one.timezone):%Y-%m-%d},"
        f" seed {one.seed}, without and with {', '.join(each.text for each in comparison.settings)}"
    )


def sides(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """A row for each deployment, as `HEADINGS` say, with both sides where they differ."""
    for one, other in comparison.rows():
        yield tuple(
            before if before == after else f"{before} -> {after}"
            for before, after in zip(cells(one), cells(other), strict=True)
        )


def in_sections(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """What is told below the table: a title, and lines."""
    changes = comparison.changes()
    for verdict in VERDICTS:
        told = [f"{one.subject}: {one.said}" for one in changes if one.verdict == verdict]
        if told:
            yield f"{verdict.capitalize()}: {len(told)}", told
    if not changes:
        yield "Nothing differs", []
    unloaded = [f"{one.name} ({one.where}): {one.cause}" for one in comparison.without.unloaded]
    if unloaded:
        yield f"Not loaded: {len(unloaded)}", unloaded


def comparison_as_json(comparison: Comparison) -> str:
    """Everything that is known of both sides, and what differs. Durations are in seconds."""
    changes = comparison.changes()
    told: dict[str, Any] = {
        "set": [one.text for one in comparison.settings],
        **{
            verdict: [
                {"subject": one.subject, "said": one.said}
                for one in changes
                if one.verdict == verdict
            ]
            for verdict in VERDICTS
        },
        "without": told_of(comparison.without),
        "with": told_of(comparison.with_),
    }
    return json.dumps(told, indent=2)


def comparison_as_markdown(comparison: Comparison) -> str:
    """A comment for a pull request."""
    lines = [f"### {title(comparison)}", ""]
    lines += ["| " + " | ".join(HEADINGS) + " |", "|---" * len(HEADINGS) + "|"]
    lines += ["| " + " | ".join(map(escaped, row)) + " |" for row in sides(comparison)]
    for head, told in in_sections(comparison):
        lines += ["", f"**{head}**", "", *(f"- {escaped(one)}" for one in told)]
    return "\n".join([*lines, ""])
