"""A first simulation.toml, written from what was seen of a project: proposals, each commented out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import SimulationError
from simulator.project.configuration import NAME

if TYPE_CHECKING:
    from simulator.history import History
    from simulator.project.course import Course


def refuse_to_overwrite(folder: Path) -> None:
    """Raise SimulationError if there is a simulation.toml."""
    if (folder / NAME).exists():
        raise SimulationError(
            f"{str(folder / NAME)!r} is there already: --init does not overwrite it"
        )


def drafted(course: Course, history: History) -> str:
    """The text of a simulation.toml. All of it is as by default until a line is uncommented."""
    return "\n".join([*_lines(course, history), ""])


def _lines(course: Course, history: History) -> Iterator[str]:
    days = (course.end - course.start).total_seconds() / 86400
    yield f"# What `simulate` and the pytest fixture `project` take for granted of {course.folder.name}."
    yield "# All of it is optional. A line that begins with # and no space is a proposal, from what was"
    yield f"# seen in {days:g} days: uncomment it, and change it to what you know. Times are in seconds."
    yield ""
    yield f'#start = "{course.start:%Y-%m-%dT%H:%M:%SZ}"'
    yield "#days = 7"
    yield f"#seed = {course.seed}"
    yield '#timezone = "UTC"  # of the report'
    yield from (
        "",
        "# How long flows and tasks take, added to what they wait: always the same, a quantile and",
    )
    yield "# another, such as { p50 = 60, p95 = 600 }, or a list, run by run."
    yield "[durations]"
    for name, seconds in sorted(_seconds(history).items()):
        seen = f"{len(seconds)} times, {min(seconds):g} to {max(seconds):g} s"
        yield f"#{_key(name)} = 60  # seen {seen}"
    yield from (
        "",
        "# What stands in for flows, tasks and functions: { returns = ... }, { each = [...] }, a list",
    )
    yield "# for the attempts at a run, or {}: a value made up of the type that they return."
    yield "[stubs]"
    for message, count in course.refused.items():
        yield f"# Refused {count} times: {message}"
    for name in sorted(_tasks(history)):
        yield f"#{_key(name)} = {{}}"
    yield from (
        "",
        "# Made up, unless they are given here. Not the real ones: they are no secret here.",
    )
    yield "[secrets]"
    yield from _made_up(course, "secret/", '"placeholder"')
    yield from ("", "[variables]")
    yield from _made_up(course, "variable/", '"placeholder"')
    yield from (
        "",
        "# Of the environment, beside what a deployment's job variables say.",
        "[environment]",
    )
    missing = dict.fromkeys(
        (*(name for one in course.unloaded for name in one.unset), *course.missing_variables)
    )
    yield from (f'#{_key(name)} = "placeholder"' for name in missing)
    yield from ("", "# Other blocks, by their type and name.", "[blocks]")
    others = [one for one in course.made_up if not one.startswith(("secret/", "variable/"))]
    yield from (f"# {_key(one)} = {{ field = ... }}" for one in others)
    yield from (
        "",
        '# Files to put in place, and away again: "where it is read" = "what is put there".',
    )
    yield "[data]"
    deployed = [row.deployment for row in course.rows if row.runs]
    for name in deployed[:1]:
        yield from ("", "# What goes wrong, as in simulator.faults.")
        yield from ("#[[faults]]", '#kind = "raise"', f"#step = {_text(name.partition('/')[0])}")
        yield from ("#probability = 0.1", "", "# What must hold, as in simulator.promises.")
        yield from ("#[[promises]]", '#kind = "never_two"', f"#of = {_text(name)}")


def _seconds(history: History) -> dict[str, list[float]]:
    """How long the runs of each flow and task took that have ended, by name."""
    found: dict[str, list[float]] = defaultdict(list)
    for run in history.runs():
        spans = [(run.flow, run.start, run.end)]
        spans += [(task.task, task.start, task.end) for task in run.tasks]
        for name, start, end in spans:
            if start is not None and end is not None:
                found[name].append((end - start).total_seconds())
    return found


def _tasks(history: History) -> set[str]:
    return {task.task for run in history.runs() for task in run.tasks}


def _made_up(course: Course, kind: str, value: str) -> Iterator[str]:
    for one in course.made_up:
        if one.startswith(kind):
            yield f"#{_key(one.removeprefix(kind))} = {value}"


def _key(name: str) -> str:
    bare = all(one.isascii() and (one.isalnum() or one in "-_") for one in name)
    return name if bare and name else _text(name)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
