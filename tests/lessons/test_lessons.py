"""Each lesson is simulated once, and its sentence held against what the history and the tables say."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from simulator import lessons
from simulator.history import History
from simulator.lessons import telling
from simulator.lessons.playing import SOLUTION, Played, simulate

DOCS = Path(__file__).parents[2] / "docs" / "lessons"
NAMES = list(lessons.listed())


@cache
def played(name: str) -> Played:
    return lessons.play(lessons.load(name))


def second_lane(name: str, flow: object, lane: str) -> Played:
    """The lesson with another flow in the second lane."""
    before = played(name)
    return dataclasses.replace(before, second=simulate(before.lesson, lane, flow, before.value, 0))


# -- what each sentence claims, read from the history in another way than the lesson does ------------


def masked_failures(plain: History, ignored: History) -> str:
    def lane(history: History) -> str:
        failed = history.runs("load", state="Failed")
        told = [run for run in failed if run.parent.state_type == "FAILED"]
        cleaned = {run.parent_id for run in history.runs("clean-up", state="Completed")}
        loads = "1 failed load" if len(failed) == 1 else f"{len(failed)} failed loads"
        return (
            f"{len(told)} of {loads} made its parent Failed,"
            f" and {len(cleaned)} of {len(history.runs('parent'))} parents cleaned up"
        )

    return f"With a plain call {lane(plain)}; in the other lane {lane(ignored)}."


CLAIMS: dict[str, Callable[[History, History], str]] = {"masked-failures": masked_failures}


@pytest.mark.parametrize("name", NAMES)
class TestLesson:
    def test_its_sentence_is_what_the_histories_say(self, name: str) -> None:
        one = played(name)
        assert one.sentence == CLAIMS[name](one.first.history, one.second.history)

    def test_its_outcome_proves_one_of_the_answers(self, name: str) -> None:
        assert played(name).right in (1, 2, 3)

    def test_it_has_no_figure_of_its_own(self, name: str) -> None:
        """What is compared, and what is said of it, comes from `GIVEN`, the knob and the history."""
        lesson = played(name).lesson
        for function in (lesson.run, lesson.sentence, lesson.figures):
            tree = ast.parse(inspect.getsource(function))
            numbers = [
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
            ]
            assert [one for one in numbers if one not in (0, 1)] == [], function.__name__
        assert not re.search(r"\d", "".join(_texts(lesson.sentence)))

    def test_both_lanes_fit_into_sixty_columns(self, name: str) -> None:
        parts = list(lessons.after(played(name), 1, 60))
        drawn = [line for part in parts[1:3] for line in part.lines]
        assert max(map(len, drawn)) <= 60

    def test_its_page_is_current(self, name: str, tmp_path: Path) -> None:
        lessons.write(played(name), tmp_path / "lesson.md")
        assert (tmp_path / "lesson.md").read_text() == (DOCS / f"{name}.md").read_text()

    def test_its_solution_solves_the_exercise_and_its_lanes_do_not(self, name: str) -> None:
        assert played(name).missing
        solved = second_lane(name, played(name).lesson.exercise.solution, SOLUTION)
        assert solved.missing == ""
        assert "Solved by" in telling.solved(solved)

    def test_the_changed_line_shows_something_else(self, name: str, tmp_path: Path) -> None:
        lesson = played(name).lesson
        assert lesson.change.line in lesson.source.splitlines()
        copy = tmp_path / f"my_{name.replace('-', '_')}.py"
        copy.write_text(lesson.source.replace(lesson.change.line, lesson.change.instead, 1))
        mine = lessons.load(str(copy))
        [_, changed] = mine.lanes.values()
        assert second_lane(name, changed, "mine").sentence != played(name).sentence


def _texts(function: Callable[..., str]) -> list[str]:
    """The texts that a function has, without what it looks figures up by."""
    tree = ast.parse(inspect.getsource(function))
    keys = {id(n.slice) for n in ast.walk(tree) if isinstance(n, ast.Subscript)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys
    ]


def test_the_index_has_every_lesson() -> None:
    index = (DOCS / "README.md").read_text()
    assert re.findall(r"^\d\. \[(.+)\]\((.+)\.md\)", index, re.MULTILINE) == [
        (title, name) for name, title in lessons.listed().items()
    ]


def test_an_answer_that_no_outcome_proves_is_neither_right_nor_wrong() -> None:
    one = played("masked-failures")
    none = dataclasses.replace(one.second, figures={**one.second.figures, "loads that failed": 0})
    assert telling.verdict(dataclasses.replace(one, second=none), 2).startswith("None of the three")
    assert telling.verdict(one, 2) == "Answer 2 is right."
    assert telling.verdict(one, 1).startswith("Not 1: it is answer 2. Completed")
