"""Each lesson is simulated once, and its sentence held against what the history and the tables say."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from simulator import lessons
from simulator.history import History
from simulator.lessons import telling
from simulator.lessons.playing import SOLUTION, Played, simulate
from simulator.records import RunRecord, TaskRecord
from simulator.versions import series

DOCS = Path(__file__).parents[2] / "docs" / "lessons"
NAMES = list(lessons.listed())


@cache
def played(name: str) -> Played:
    return lessons.play(lessons.load(name))


def turned(name: str, value: float, *, solution: bool = False) -> Played:
    return lessons.play(lessons.load(name), value, solution=solution)


def second_lane(name: str, flow: object, lane: str) -> Played:
    """The lesson with another flow in the second lane."""
    before = played(name)
    return dataclasses.replace(before, second=simulate(before.lesson, lane, flow, before.value, 0))


# -- what each sentence claims, read from the history in another way than the lesson does ------------


def in_words(seconds: float) -> str:
    """As the lessons say a duration, by another way: 3661 is "1 h 1 min 1 s"."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (left, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def many(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def seconds(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds()


def entered(run: RunRecord, name: str) -> datetime:
    return next(state.timestamp for state in run.states if state.name == name)


def subflow_or_deployment(subflows: History, deployments: History) -> str:
    def chain(history: History) -> tuple[str, int, str, str]:
        [parent] = history.runs("chain")
        steps = [run for run in history.runs() if run.parent_id == parent.id]
        begins = [entered(run, "Running") for run in steps]
        waits = sum(
            seconds(at, run.states[0].timestamp) for at, run in zip(begins, steps, strict=True)
        )
        # What is seen late: from an end to the next order, or to the end of the parent.
        next_orders = [
            *(run.states[0].timestamp for run in steps[1:]),
            entered(parent, "Completed"),
        ]
        seen = sum(
            seconds(order, entered(run, "Completed"))
            for run, order in zip(steps, next_orders, strict=True)
        )
        took = seconds(entered(parent, "Completed"), entered(parent, "Running"))
        processes = 1 + len([run for run in steps if run.work_pool])
        return in_words(took), processes, in_words(waits), in_words(seen)

    (took, processes, *_), (longer, more, waits, seen) = chain(subflows), chain(deployments)
    return (
        f"The chain took {took} in {many(processes, 'process', 'processes')}, and {longer} in"
        f" {many(more, 'process', 'processes')}, of which {waits} went by before its steps had"
        f" started, and {seen} before the parent had seen their ends."
    )


def masked_failures(plain: History, ignored: History) -> str:
    def lane(history: History) -> str:
        failed = history.runs("load", state="Failed")
        told = [run for run in failed if run.parent.state_type == "FAILED"]
        cleaned = {run.parent_id for run in history.runs("clean-up", state="Completed")}
        return (
            f"{len(told)} of {many(len(failed), 'failed load')} made its parent Failed,"
            f" and {len(cleaned)} of {len(history.runs('parent'))} parents cleaned up"
        )

    return f"With a plain call {lane(plain)}; in the other lane {lane(ignored)}."


def cadence_and_caching(expiry: History, date: History) -> str:
    def lane(history: History) -> tuple[int, int, str]:
        parents = history.runs("parent")
        made = [one for one in parents if any(task.state == "Completed" for task in tasks(one))]
        return len(parents), len(made), ", ".join(f"{run.start:%a %H:%M}" for run in made)

    def tasks(parent: RunRecord) -> list[TaskRecord]:
        return [task for task in parent.tasks if task.task == "forecast"]

    (parents, made, on), (others, other_made, other_on) = lane(expiry), lane(date)
    return (
        f"Of {parents} parents {made} made the forecast by its expiry, on {on}; in the other lane"
        f" {other_made} of {others} made it, on {other_on}."
    )


def cron_or_chaining(crons: History, chained: History) -> str:
    def lane(history: History) -> tuple[int, int, str, int]:
        exports = {f"{run.scheduled:%d %H}": run for run in history.runs("export")}
        late = [run for run in exports.values() if seconds(run.end, run.scheduled) > 5 * 60]
        reports = history.runs("report")
        wrong = [run for run in reports if run.start < exports[f"{run.scheduled:%d %H}"].end]
        return len(late), len(exports), many(len(wrong), "report"), len(reports)

    (late, hours, wrong, reports), (*_, other_wrong, other_reports) = lane(crons), lane(chained)
    return (
        f"In {many(late, 'hour')} of {hours} the export took longer than the gap, and by two crons"
        f" {wrong} of {reports} lacked the hour's feed; in the other lane {other_wrong} of"
        f" {other_reports} did."
    )


def limits_and_shared_resources(unguarded: History, guarded: History) -> str:
    """The end of a child is that of its write, and the five seconds before it are those of its update:
    one that was going on already when another was written does not know of it.
    """

    def lane(history: History) -> str:
        ends = sorted(run.end for run in history.runs("child", state="Completed"))
        value, known = 0, []
        for end in ends:
            read = end - timedelta(seconds=5)
            value = max((wrote for at, wrote in known if at <= read), default=0) + 1
            known.append((end, value))
        [parent] = history.runs("parent")
        return (
            f"{len(ends)} children were Completed in {in_words(seconds(parent.end, parent.start))}, and"
            f" {len(ends) - value} of their updates are lost"
        )

    return f"Without a lock {lane(unguarded)}; in the other lane {lane(guarded)}."


def retries_and_outages(hasty: History, backing_off: History) -> str:
    def lane(history: History) -> str:
        [run] = [run for run in history.runs("load") if run.scheduled.hour == 2]
        late = seconds(run.end, run.scheduled) - 240
        attempts = many(run.tasks[0].run_count, "attempt")
        beside = f"{in_words(abs(late))} {'after' if late >= 0 else 'before'} the API is back"
        return f"{run.state} after {attempts}, {beside}"

    return f"The run of the outage is {lane(hasty)}; in the other lane it is {lane(backing_off)}."


def zombies_and_heartbeats(unwatched: History, watched: History) -> str:
    def lane(history: History) -> str:
        run = history.runs("job")[0]
        [death, *_] = [note.at for note in history.notes if note.kind == "fault"]
        known = "and nobody knows"
        if run.final:
            known = f"as was known after {in_words(seconds(run.states[-1].timestamp, death))}"
        return f"{run.state}, {known}"

    [death, *_] = [note.at for note in unwatched.notes if note.kind == "fault"]
    return (
        f"When its machine has been gone for {in_words(seconds(unwatched.now, death))}, the run that"
        f" nobody watches is {lane(unwatched)}; in the other lane it is {lane(watched)}."
    )


def backfill_and_catch_up(clock: History, schedule: History) -> str:
    [away] = [note for note in clock.notes if note.kind == "away"]
    due = [run for run in clock.runs("load") if away.at < run.scheduled < away.until]
    later = [seconds(run.start, away.until) for run in due if run.start >= away.until]

    def missing(history: History, taken: Callable[[RunRecord], datetime]) -> int:
        runs = history.runs("load", state="Completed")
        return len({run.scheduled.date() for run in runs} - {taken(run).date() for run in runs})

    lost = many(missing(clock, lambda run: run.start), "date")
    return (
        f"Of {many(len(due), 'run')} due while the worker was away {len(later)} began when it was back,"
        f" the last of them {in_words(max(later))} later; what takes its date from the clock leaves"
        f" {lost} of {len(clock.runs('load'))} without a load, and the other lane"
        f" {missing(schedule, lambda run: run.scheduled)}."
    )


CLAIMS: dict[str, Callable[[History, History], str]] = {
    name: globals()[name.replace("-", "_")] for name in NAMES
}


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

    @pytest.mark.skipif(series() != "3.9", reason="the pages are written with the newest series")
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


def test_every_file_of_the_course_is_a_lesson_of_the_list() -> None:
    course = Path(lessons.load("masked-failures").file).parent.glob("[!_]*.py")
    assert {file.stem.replace("_", "-") for file in course} == set(NAMES)


def test_as_json_it_is_what_the_page_has() -> None:
    one = played("masked-failures")
    assert json.loads(json.dumps(lessons.plain(one)))["sentence"] == one.sentence


def test_the_right_answer_has_no_place_of_its_own() -> None:
    assert {played(name).right for name in NAMES} == {1, 2, 3}


def test_an_answer_that_no_outcome_proves_is_neither_right_nor_wrong() -> None:
    one = played("masked-failures")
    none = dataclasses.replace(one.second, figures={**one.second.figures, "loads that failed": 0})
    assert telling.verdict(dataclasses.replace(one, second=none), 2).startswith("None of the three")
    assert telling.verdict(one, 2) == "Answer 2 is right."
    assert telling.verdict(one, 1).startswith("Not 1: it is answer 2. Completed")


def test_a_solution_that_does_not_solve_it_is_not_advised_again() -> None:
    one = turned("limits-and-shared-resources", 2, solution=True)
    assert telling.solved(one) == (
        "Not yet, 'the solution': an update is lost. It was written for slots=1 and seed 0."
    )


def test_a_page_says_so_if_no_answer_is_proved(tmp_path: Path) -> None:
    lessons.write(turned("masked-failures", 0), tmp_path / "lesson.md")
    text = (tmp_path / "lesson.md").read_text()
    assert "None of the three can be told from this run" in text
    assert "Answer 0" not in text


def test_the_solution_answers_no_question(tmp_path: Path) -> None:
    """By what the solution does, the parents are Failed; the question is of the lane that it replaces."""
    one = turned("masked-failures", 0.5, solution=True)
    lessons.write(one, tmp_path / "lesson.md")
    assert not re.search(r"Answer \d is right", (tmp_path / "lesson.md").read_text())
    assert lessons.plain(one)["right"] is None
