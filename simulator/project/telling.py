"""The course of a project as tables for a terminal, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from simulator.project.course import Course, Row
from simulator.project.findings import Finding
from simulator.project.loading import Unloaded
from simulator.report import duration

HEADINGS = ("deployment", "runs", "ends", "late", "retries", "median", "longest", "at once")


def cells(row: Row) -> tuple[str, ...]:
    """A row for reading, as `HEADINGS` say."""
    ends = ", ".join(f"{count} {state}" for state, count in sorted(row.ends.items()))
    return (
        row.deployment,
        str(row.runs),
        ends or "-",
        str(row.late),
        str(row.retries),
        "-" if row.median_seconds is None else duration(row.median_seconds),
        "-" if row.longest_seconds is None else duration(row.longest_seconds),
        str(row.at_once),
    )


def ran(course: Course) -> list[Row]:
    """The deployments that have run; those that never did are listed apart."""
    return [row for row in course.rows if row.runs]


def as_json(course: Course) -> str:
    """Everything that is known of a course. Durations are in seconds, instants in UTC."""
    return json.dumps(told_of(course), indent=2)


def told_of(course: Course) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "folder": str(course.folder),
        "start": course.start.isoformat(),
        "end": course.end.isoformat(),
        "stopped": course.stopped or None,
        "seed": course.seed,
        "deployments": [
            {"where": _where(course, row.deployment), **asdict(row)} for row in course.rows
        ],
        "not_loaded": [asdict(one) for one in course.unloaded],
        "findings": [
            {**asdict(one), "run_id": str(one.run_id) if one.run_id else None}
            for one in course.findings
        ],
        "made_up": list(course.made_up),
        "failed_on_made_up": course.misread,
        "scripts_passed_over": list(course.passed_over),
        "stubs": course.stubs,
        "promises": [
            {"name": one.name, "kept": one.kept, "said": one.said} for one in course.promises
        ],
        "refused_connections": course.refused,
        "missing_modules": course.missing_modules,
        "missing_programs": course.missing_programs,
        "missing_variables": course.missing_variables,
        "proposed_stubs": [asdict(one) for one in course.proposed],
        "caveats": list(map(str, course.caveats)),
    }


def as_markdown(course: Course) -> str:
    """A comment for a pull request."""
    lines = [f"### {headline(course)}", ""]
    if rows := ran(course):
        lines += ["| " + " | ".join(HEADINGS) + " |", "|---" * len(HEADINGS) + "|"]
    lines += ["| " + " | ".join(map(escaped, cells(row))) + " |" for row in rows]
    for title, told in sections(course):
        lines += ["", f"**{title}**", ""]
        for first, *others in told:
            lines.append(f"- {escaped(first)}")
            lines += [f"  - {escaped(one)}" for one in others]
    return "\n".join([*lines, ""])


def headline(course: Course) -> str:
    """What was simulated, in one line."""
    days = (course.end - course.start).total_seconds() / 86400
    runs = sum(row.runs for row in course.rows)
    return (
        f"{course.folder.name}: {len(course.loaded)} deployments, {runs} runs in {days:g} days"
        f" from {course.start.astimezone(course.timezone):%Y-%m-%d}, seed {course.seed}"
    )


def sections(course: Course) -> Iterator[tuple[str, list[list[str]]]]:
    """What is told below the table: a title, and for each item its lines."""
    if course.stopped:
        yield "Stopped before its time", [[f"{course.end:%Y-%m-%d %H:%M:%S} UTC: {course.stopped}"]]
    yield from _left_out(course)
    if course.made_up:
        told = [[", ".join(course.made_up)]]
        if course.misread:
            told += [[f"{course.misread} runs failed since such a value is not the true one"]]
        yield "Made up, since nobody has given them: see [secrets]", told
    if course.stubs:
        called = [[f"{name}: called {calls} times"] for name, calls in course.stubs.items()]
        yield f"Stubs: {len(called)}", called
    if course.promises:
        broken = sum(not one.kept for one in course.promises)
        told = [str(one).splitlines() for one in course.promises]
        yield f"Promises: {broken} of {len(told)} broken", told
    for title, lacking in (
        (
            "Connections that were refused to runs that failed or go on: see --stub-network",
            course.refused,
        ),
        ("Modules that are not installed here, and ended a run", course.missing_modules),
        ("Programs that are not installed here, and ended a run", course.missing_programs),
        (
            "Environment variables that are not set, and ended a run: see [environment]",
            course.missing_variables,
        ),
    ):
        if lacking:
            yield title, [[f"{name} (in {count} runs)"] for name, count in lacking.items()]
    if caveats := list(_folded(str(one) for one in course.caveats if one.kind != "network")):
        yield "What this simulation could not show rightly", caveats
    title = f"Findings: {len(course.findings)}" if course.findings else "No findings"
    yield title, [list(_lines(one)) for one in course.findings]


def _left_out(course: Course) -> Iterator[tuple[str, list[list[str]]]]:
    """What has not been simulated."""
    if course.unloaded:
        yield f"Not loaded: {len(course.unloaded)}", list(_by_cause(course.unloaded))
    steps: dict[str, int] = {}
    for one in course.loaded:
        for step in one.unsimulated:
            steps[step] = steps.get(step, 0) + 1
    if steps:
        told = [[f"{name} (of {count} deployments)"] for name, count in steps.items()]
        yield "Pull steps that are not simulated", told
    if course.passed_over:
        why = "prefect.yaml says what is deployed, see --script"
        yield f"Scripts that serve or deploy, left out; {why}", [[", ".join(course.passed_over)]]
    idle = [row.deployment for row in course.rows if not row.runs]
    if idle and course.end > course.start:
        why = "no schedule, trigger or flow asked for them in this time"
        yield f"Never ran: {len(idle)} of {len(course.rows)}; {why}", [[", ".join(idle)]]


def _by_cause(unloaded: Iterable[Unloaded]) -> Iterator[list[str]]:
    """One for each cause: what is not installed is often wanted by all."""
    alike: dict[str, list[Unloaded]] = {}
    for one in unloaded:
        alike.setdefault(re.sub(r" \([^()]+:\d+\)$", "", one.cause), []).append(one)
    for cause, those in alike.items():
        if len(those) == 1:
            yield [f"{those[0].name} ({those[0].where}): {those[0].cause}"]
        else:
            names = ", ".join(f"{one.name} ({one.where})" for one in those)
            yield [f"{len(those)} of them: {cause}", names]


def _folded(caveats: Iterable[str]) -> Iterator[list[str]]:
    """Caveats of one kind at one line of code as one, the first of them: many runs meet them."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in caveats:
        places = re.findall(r"\(([^()]+:\d+)", one)
        alike.setdefault((one.partition(":")[0], places[-1] if places else one), []).append(one)
    for first, *others in alike.values():
        yield [first, f"and {len(others)} more like it"] if others else [first]


def _lines(finding: Finding) -> Iterator[str]:
    times = f", {finding.times} times" if finding.times > 1 else ""
    where = f" ({finding.where})" if finding.where else ""
    yield f"{finding.kind}{times}: {finding.sentence}{where}"
    if finding.run:
        yield f"shown by {finding.run}: {finding.explanation.splitlines()[0]}"
        yield from (line.strip() for line in finding.explanation.splitlines()[1:])


def _where(course: Course, deployment: str) -> str | None:
    return next((one.where for one in course.loaded if one.name == deployment), None)


def escaped(text: str) -> str:
    """A text in a cell or a line of Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;")
