"""`simulate learn`: the question first, and an answer from whoever can give one."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import lessons
from simulator.cli import call


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(*_, **__):
        raise AssertionError("something ran")

    monkeypatch.setattr(lessons, "play", play)


def test_the_list_has_each_lesson_with_its_title(capsys) -> None:
    assert call(["learn"]) == 0
    said = capsys.readouterr().out
    for name, title in lessons.listed().items():
        assert f"{name}\n    {title}\n" in said


@pytest.mark.parametrize("stdin", [None, io.StringIO(""), "closed"], ids=["none", "pipe", "closed"])
def test_who_cannot_be_asked_is_told_how_to_answer(
    stdin, capsys, monkeypatch, nothing_runs
) -> None:
    if stdin == "closed":
        stdin = io.StringIO()
        stdin.close()
    monkeypatch.setattr(sys, "stdin", stdin)
    assert call(["learn", "masked-failures"]) == 0
    said = capsys.readouterr().out
    assert "2. Completed: the parent" in said
    assert said.endswith("Answer with: simulate learn masked-failures --answer 1 (or 2, or 3)\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["masked-failure"], "no lesson 'masked-failure': did you mean 'masked-failures'?"),
        (["masked-failures", "--answer", "4"], "--answer 4 must be one of 1, 2, 3"),
        (["masked-failures", "--set", "shar=1"], "no knob 'shar': did you mean 'share'?"),
        (
            ["masked-failures", "--set", "share"],
            "--set share must be KNOB=VALUE, such as share=0.5",
        ),
        (
            ["masked-failures", "--set", "share=two"],
            "share=two must be a number from 0 to 1: the share of the loads that fail",
        ),
        (["masked-failures", "--set", "share=1.5"], "share=1.5 must be a number from 0 to 1: the"),
        (["masked-failures", "--page", "x.pdf"], "--page 'x.pdf' must end with .html or .md"),
        (["masked-failures", "--copy", "x.txt"], "--copy 'x.txt' must end with .py"),
        (["mine.py"], "there is no file 'mine.py': `simulate learn LESSON --copy mine.py`"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_a_mistake_is_one_line(arguments, reason, capsys, nothing_runs) -> None:
    assert call(["learn", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"simulate: {reason}")
    assert said.err.count("\n") == 1


def test_a_copy_is_the_lesson_and_overwrites_nothing(tmp_path: Path, capsys) -> None:
    copy = tmp_path / "lesson.py"
    assert call(["learn", "masked-failures", "--copy", str(copy)]) == 0
    assert copy.read_text() == lessons.source_of("masked-failures")
    assert call(["learn", "masked-failures", "--copy", str(copy)]) == 2
    assert "File exists" in capsys.readouterr().err


def test_what_a_copy_lacks_is_named(tmp_path: Path, capsys, nothing_runs) -> None:
    copy = tmp_path / "lacking.py"
    copy.write_text(lessons.source_of("masked-failures").replace("CHANGE =", "CHANGES ="))
    assert call(["learn", str(copy)]) == 2
    assert capsys.readouterr().err == f"simulate: {copy} is no lesson: it has no CHANGE\n"
    copy.write_text("def broken(:\n")
    assert call(["learn", str(copy)]) == 2
    assert f"SyntaxError: invalid syntax (lacking.py, line 1) ({copy}:1)" in capsys.readouterr().err


def test_a_copy_that_breaks_is_one_line(tmp_path: Path, capsys) -> None:
    copy = tmp_path / "breaking.py"
    source = lessons.source_of("masked-failures")
    begin = "def run(sim: Simulation, parent: Flow, share: float) -> None:\n"
    assert begin in source
    copy.write_text(source.replace(begin, f"{begin}    1 / 0\n"))
    assert call(["learn", str(copy), "--answer", "1"]) == 2
    line = next(i for i, text in enumerate(copy.read_text().splitlines(), 1) if "1 / 0" in text)
    assert capsys.readouterr().err == (
        f"simulate: {copy}: the lane 'load()' broke: ZeroDivisionError: division by zero"
        f" ({copy}:{line})\n"
    )


def test_the_list_is_there_without_prefect() -> None:
    script = (
        "import sys; from simulator.cli import call; call(['learn']);"
        " sys.exit(bool({'prefect', 'duckdb'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def test_json_asks_before_it_tells_as_well(capsys, nothing_runs) -> None:
    assert call(["learn", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["name"]: one["title"] for one in listed} == lessons.listed()
    assert call(["learn", "masked-failures", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"question", "answers"}
    assert call(["learn", "masked-failures", "--json", "--page", "x.html"]) == 2
    assert capsys.readouterr().err == "simulate: --json and --page exclude each other\n"
