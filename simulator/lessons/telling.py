"""A lesson in words: what stands before the answer, and what after it."""

from __future__ import annotations

import ast
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest

from simulator.lessons.lesson import Lesson, lasted
from simulator.lessons.playing import START, Played
from simulator.report import text_lanes
from simulator.versions import series


@dataclass(frozen=True)
class Part:
    """A part of a lesson: a heading ("" for none) and its lines. `code` must keep its line breaks."""

    heading: str
    lines: tuple[str, ...]
    code: bool = False


def before(lesson: Lesson) -> tuple[Part, ...]:
    """The question, with its three answers."""
    answers = (f"{number}. {answer}" for number, answer in enumerate(lesson.answers, 1))
    return (Part(lesson.title, (lesson.question,)), Part("", tuple(answers)))


def after(played: Played, answer: int | None, width: int) -> Iterator[Part]:
    """What happened, whether the answer was right, and what to do next. `width` is in columns."""
    lesson = played.lesson
    lanes = {one.name: one.history for one in (played.first, played.second)}
    yield Part("What shapes the picture", tuple(f"{k}: {v}" for k, v in parameters(played).items()))
    yield Part("Two lanes on one time axis", tuple(text_lanes(lanes, width)), code=True)
    yield Part("What came out", tuple(table(played, width)), code=True)
    yield Part(
        "So",
        (*([verdict(played, answer)] if answer and not played.solution else []), played.sentence),
    )
    yield Part("Change this line and run again", tuple(change(lesson)), code=True)
    yield Part("Exercise", (lesson.exercise.task, solved(played)))


def parameters(played: Played) -> dict[str, str]:
    """Every parameter that shapes the outcome, in words."""
    knob = played.lesson.knob
    return {
        knob.name: f"{played.value:g} (the knob: {knob.meaning}, {knob.least:g} to {knob.most:g})",
        "seed": str(played.seed),
        "start": START,
        **{name.replace("_", " "): shown(value) for name, value in played.lesson.given.items()},
        "all else": f"as Prefect {series()} has it by default",
    }


def shown(value: object) -> str:
    """A parameter or a figure in words."""
    return lasted(value) if isinstance(value, timedelta) else str(value)


def rows(played: Played) -> dict[str, tuple[str, str]]:
    """The figures of both lanes, by name."""
    one, other = played.first.figures, played.second.figures
    return {name: (shown(one[name]), shown(other[name])) for name in one}


def table(played: Played, width: int) -> Iterator[str]:
    """The figures as lines of a table, whose cells are broken to fit."""
    heads = ("", played.first.name, played.second.name)
    cells = [heads, *((name, *values) for name, values in rows(played).items())]
    most = [width, (width - 16) // 2, (width - 16) // 2]
    room = [min(max(len(row[i]) for row in cells), most[i]) for i in range(3)]
    room[0] = min(room[0], width - room[1] - room[2] - 4)
    for row in cells:
        broken = [textwrap.wrap(text, size) or [""] for text, size in zip(row, room, strict=True)]
        for name, one, other in zip_longest(*broken, fillvalue=""):
            yield f"{name:<{room[0]}}  {one:>{room[1]}}  {other:>{room[2]}}".rstrip()


def verdict(played: Played, answer: int) -> str:
    """Whether an answer is the one that the outcome proves."""
    if not played.right:
        return "None of the three can be told from this run: turn the knob."
    if answer == played.right:
        return f"Answer {answer} is right."
    return f"Not {answer}: it is answer {played.right}. {played.lesson.answers[played.right - 1]}"


def change(lesson: Lesson) -> Iterator[str]:
    """What to do in order to see something else."""
    own = lesson.name if lesson.name.endswith(".py") else "lesson.py"
    if own != lesson.name:
        yield f"simulate learn {lesson.name} --copy {own}"
    number = lesson.source.splitlines().index(lesson.change.line) + 1 if _is_there(lesson) else 0
    if number:
        yield f"{own}:{number}"
        yield f"- {lesson.change.line.strip()}"
        yield f"+ {lesson.change.instead.strip()}"
    yield f"simulate learn {shlex.quote(own)}"


def _is_there(lesson: Lesson) -> bool:
    return lesson.change.line in lesson.source.splitlines()


def solved(played: Played) -> str:
    """How far the second lane solves the exercise."""
    if not played.missing:
        return f"Solved by {played.second.name!r}."
    knob = played.lesson.knob
    return f"Not yet, {played.second.name!r}: {played.missing}." + (
        f" It was written for {knob.name}={knob.value:g} and seed 0."
        if played.solution
        else f" One way to do it: {command(played)} --solution"
    )


def command(played: Played) -> str:
    """The command that repeats it."""
    lesson = played.lesson
    parts = ["simulate", "learn", shlex.quote(lesson.name)]
    if played.value != lesson.knob.value:
        parts += ["--set", f"{lesson.knob.name}={played.value:g}"]
    if played.seed:
        parts += ["--seed", str(played.seed)]
    return " ".join(parts)


def code(lesson: Lesson) -> Mapping[str, str]:
    """What the file lets run, as it stands there: "lanes", and the "solution" of the exercise."""
    ends: dict[str, int | None] = {}
    begins: dict[str, int] = {}
    for node in ast.parse(lesson.source).body:
        target = getattr(node, "targets", [getattr(node, "target", node)])[0]
        name = getattr(target, "id", getattr(target, "name", ""))
        begins[name], ends[name] = node.lineno, node.end_lineno
    lines = lesson.source.splitlines()

    def between(first: str, last: int | None) -> str:
        kept = [one for one in lines[ends[first] : last] if not one.startswith("# ---")]
        return "\n".join(kept).strip()

    return {
        "lanes": between("KNOB", ends["LANES"]),
        "solution": between("CHANGE", begins["solved"] - 1),
    }
