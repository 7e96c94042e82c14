"""`simulate learn`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import Json, exclusive, print_json
from simulator.cli.app import app
from simulator.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.lessons import Lesson
    from simulator.lessons.telling import Part


@app.command()
def learn(
    lesson: Annotated[
        str | None,
        typer.Argument(metavar="[LESSON]", help="Name of a lesson, or a copy of one (.py)."),
    ] = None,
    answer: Annotated[
        int | None, typer.Option(help="Your answer to its question: 1, 2 or 3.", metavar="N")
    ] = None,
    turned: Annotated[
        str | None, typer.Option("--set", help="Turn its knob.", metavar="KNOB=VALUE")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random fault and duration.")] = 0,
    solution: Annotated[
        bool, typer.Option("--solution", help="Put a solution in the second lane's place.")
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(help="Write a page instead: .html (it asks, too) or .md.", metavar="FILE"),
    ] = None,
    copy: Annotated[
        Path | None, typer.Option(help="Write the lesson's file, to be changed.", metavar="FILE.py")
    ] = None,
    json: Json = False,
) -> None:
    """List the lessons, or take one: a question first, then two lanes, and what to make of them."""
    exclusive(json=json, page=page, copy=copy)
    if lesson is None:
        _list(json)
    elif copy is not None:
        _copy(lesson, copy)
    else:
        _take(lesson, answer, turned, seed, solution, page, json)


def _list(json: bool) -> None:
    from simulator.lessons import listed

    if json:
        print_json([{"name": name, "title": title} for name, title in listed().items()])
        return
    for name, title in listed().items():
        print(f"{name}\n    {title}")
    print("\nTake one: simulate learn LESSON")


def _take(
    name: str,
    answer: int | None,
    turned: str | None,
    seed: int,
    solution: bool,
    page: Path | None,
    json: bool,
) -> None:
    """Take a lesson. Nothing is simulated before there is an answer, but for a page: it asks, too."""
    from simulator import lessons

    if page is not None:
        lessons.check_page(page)
    lesson = lessons.load(name)
    value = _turned(lesson, turned)
    if answer is not None and not 1 <= answer <= len(lesson.answers):
        raise SimulationError(f"--answer {answer} must be one of 1, 2, 3")
    talks = page is None and not json
    if talks:
        _show(lessons.before(lesson))
        answer = answer or (None if solution else _asked())
    if page is None and answer is None and not solution:
        if json:
            print_json({"question": lesson.question, "answers": lesson.answers})
        else:
            print(f"\nAnswer with: simulate learn {name} --answer 1 (or 2, or 3)")
        return
    if talks:
        print("\nSimulating ...", flush=True)
    played = lessons.play(lesson, value, seed, solution=solution)
    if json:
        print_json(lessons.plain(played))
    elif page is not None:
        lessons.write(played, page)
        print(page)
    else:
        _show(lessons.after(played, answer, min(_width(), 100)))


def _turned(lesson: Lesson, turned: str | None) -> float:
    from simulator.arguments import unknown

    if turned is None:
        return lesson.knob.value
    name, given, value = turned.partition("=")
    if name != lesson.knob.name:
        raise unknown("knob", name, [lesson.knob.name], few=True)
    if not given:
        raise SimulationError(
            f"--set {turned} must be KNOB=VALUE, such as {name}={lesson.knob.value:g}"
        )
    return lesson.knob.read(value)


def _asked() -> int | None:
    """What is answered on a terminal; None where nobody can be asked."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty() or not sys.stdout.isatty():
        return None
    while True:
        try:
            said = input("\nYour answer (1, 2 or 3): ").strip()
        except EOFError:
            return None
        if said in ("1", "2", "3"):
            return int(said)
        print("One of 1, 2, 3.")


def _copy(lesson: str, copy: Path) -> None:
    from simulator.lessons import source_of

    if copy.suffix != ".py":
        raise SimulationError(f"--copy {str(copy)!r} must end with .py")
    try:
        with copy.open("x", encoding="utf-8") as opened:
            opened.write(source_of(lesson))
    except OSError as wrong:
        raise SimulationError(f"cannot write {str(copy)!r}: {wrong.strerror}") from wrong
    print(copy)


def _width() -> int:
    from simulator.report import console

    return console().width


def _show(parts: Iterable[Part]) -> None:
    import textwrap

    width = _width()
    for part in parts:
        if part.heading:
            print(f"\n{part.heading}\n{'-' * min(len(part.heading), width)}")
        for line in part.lines:
            wrapped = [line] if part.code else textwrap.wrap(line, width, subsequent_indent="   ")
            print("\n".join(wrapped))
