"""A lesson as a page: HTML that asks before it shows, or Markdown that can be read anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.errors import SimulationError
from simulator.history import Outcome
from simulator.lessons import telling
from simulator.lessons.lesson import Lesson
from simulator.lessons.playing import Lane, Played
from simulator.report import text_lanes, write_lesson_page

WIDTH = 88
"""Columns of the lanes in Markdown."""

KINDS = (".html", ".md")


def check_page(output: Path) -> None:
    """Refuse what is no name of a page. Raises SimulationError."""
    if output.suffix not in KINDS:
        raise SimulationError(
            f"--page {str(output)!r} must end with {' or '.join(KINDS)}: HTML, or Markdown"
        )


def write(played: Played, output: Path) -> None:
    """Write the page; its suffix says which. Raises SimulationError if it cannot be written."""
    check_page(output)
    if output.suffix == ".html":
        outcomes = [_outcome(played, lane) for lane in (played.first, played.second)]
        write_lesson_page(plain(played), outcomes, output)
        return
    try:
        output.write_text("\n".join(_markdown(played)) + "\n", encoding="utf-8")
    except OSError as wrong:
        raise SimulationError(f"cannot write the page {str(output)!r}: {wrong.strerror}") from wrong


def _outcome(played: Played, lane: Lane) -> Outcome:
    """A lane as the page takes them."""
    return Outcome(
        key=(played.lesson.name, lane.name, played.seed),
        passed=True,
        error="",
        days=None,
        real_seconds=None,
        question=played.lesson.question,
        lesson="",
        made_with="",
        command="",
        history=lane.history,
        verdicts=(),
        measures=(),
        caveats=(),
    )


def plain(played: Played) -> dict[str, Any]:
    """A lesson and its outcome as plain values: what lesson.js shows beside the lanes."""
    lesson = played.lesson
    code = telling.code(lesson)
    return {
        "title": lesson.title,
        "question": lesson.question,
        "answers": lesson.answers,
        # The question is of the lanes as written, not of the solution.
        "right": None if played.solution else played.right,
        "sentence": played.sentence,
        "figures": [[name, *values] for name, values in telling.rows(played).items()],
        "parameters": list(telling.parameters(played).items()),
        "command": telling.command(played),
        "code": code["lanes"],
        "change": "\n".join(telling.change(lesson)),
        "exercise": lesson.exercise.task,
        "solved": telling.solved(played),
        "solution": code["solution"],
    }


def _markdown(played: Played) -> Iterator[str]:
    lesson, lanes = played.lesson, (played.first, played.second)
    code = telling.code(lesson)
    yield from (
        f"# {lesson.title}",
        "",
        f"Written by `{_command(lesson)}`; a test keeps it current.",
    )
    yield from ("", lesson.question, "")
    yield from (f"{number}. {answer}" for number, answer in enumerate(lesson.answers, 1))
    yield from ("", "Choose one before you read on, or let the lesson ask you:", "")
    yield from _fenced("console", f"simulate learn {lesson.name}")
    yield from ("", "## What was run", "", *_fenced("python", code["lanes"]))
    yield from ("", "What shapes the picture:", "")
    yield from (f"- {name}: {_plain(value)}" for name, value in telling.parameters(played).items())
    drawn = text_lanes({one.name: one.history for one in lanes}, WIDTH)
    yield from ("", "## Two lanes on one time axis", "", *_fenced("text", "\n".join(drawn)))
    yield from ("", "| | " + " | ".join(f"`{lane.name}`" for lane in lanes) + " |", "|---|--:|--:|")
    for name, (one, other) in telling.rows(played).items():
        yield f"| {name} | {one} | {other} |"
    yield from ("", "## So", "", f"{_verdict(played)}{played.sentence}")
    yield from ("", "## Change this line and run again", "")
    yield from _fenced("diff", "\n".join(telling.change(lesson)))
    yield from ("", "## Exercise", "", lesson.exercise.task, "", _plain(telling.solved(played)), "")
    yield from ("<details><summary>A solution</summary>", "", *_fenced("python", code["solution"]))
    yield from ("", "</details>")


def _verdict(played: Played) -> str:
    """What comes before the sentence. The question is of the lanes as written, not of the solution."""
    if played.solution:
        return ""
    return f"{telling.verdict(played, played.right)} "


def _command(lesson: Lesson) -> str:
    return f"simulate learn {lesson.name} --page docs/lessons/{lesson.name}.md"


def _fenced(language: str, text: str) -> tuple[str, ...]:
    return (f"```{language}", text, "```")


def _plain(text: str) -> str:
    """A text in which no star is taken for emphasis."""
    return text.replace("*", "\\*")
