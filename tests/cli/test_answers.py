"""All commands answer in the same way: as JSON, quietly, in colours or without, on a narrow screen."""

import io
import json
import os
import re
from pathlib import Path

import pytest
import typer
from rich.console import Console

from simulator.cli import call
from simulator.cli.apart import apart
from simulator.cli.app import app
from simulator.history import Difference
from simulator.report import console, difference_lines, summary
from simulator.report.terminal import Display
from simulator.scenario import scenario
from simulator.scenarios import Scenario, VariantResult, Verdict

ROOT = Path(__file__).parents[2]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group, since it has several


def options(command: str) -> set[str]:
    return {option for parameter in COMMANDS[command].params for option in parameter.opts}


def test_every_command_prints_json() -> None:
    assert [name for name in COMMANDS if "--json" not in options(name)] == []


def test_the_page_says_which_are_quiet_and_which_are_verbose() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    said = {
        name: set(re.findall("-[qv]", cell))
        for name, cell in re.findall(r"^\| `simulate (\w+)` \|[^|]*\|([^|]*)\|", page, re.MULTILINE)
    }
    assert said == {name: options(name) & {"-q", "-v"} for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_fits_forty_columns_and_cuts_nothing_off(name, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert call([name, "--help"]) == 0
    text = capsys.readouterr().out
    # Where it tears a long word apart, typer's own wrapping takes a column more.
    assert max(map(len, text.splitlines())) <= 41
    assert "…" not in text
    assert options(name) <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)) | {"--help"} | {
        parameter.name for parameter in COMMANDS[name].params
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_written_as_json(folder: Path, results: Path, capsys) -> None:
    def said(*arguments: str) -> object:
        assert call([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    place = folder / "there"
    assert said("report", str(results), "--output", str(place)) == {"page": str(place)}
    assert place.is_file()
    assert said("export", str(results), "--to", "junit", "--output", str(place)) == {
        "format": "junit",
        "path": str(place),
    }
    written = said("new", "late-export")
    assert written == {
        "files": [
            "pipelines/late_export.py",
            "scenarios/late_export.py",
            "tests/test_late_export.py",
        ],
        "next": "simulate run late-export",
    }


def test_a_shell_completes(monkeypatch, capsys) -> None:
    for words, number, found in (
        ("simulate exp", 1, "explain\nexport"),
        ("simulate run --se", 2, "--seed"),
    ):
        monkeypatch.setenv("_SIMULATE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(number))
        with pytest.raises(SystemExit):
            call([])
        assert capsys.readouterr().out.strip() == found


def words(text: str) -> set[str]:
    return {word.strip(".:-") for word in re.findall(r"[\w.%:-]*\w[\w.%:-]*", text)}


LONG = """from simulator.scenario import scenario

@scenario(name="an-unmistakably-overlong-name", question="Is it?", patterns=("P01", "P02"),
          variants={"written-in-place": 1, "replaced-as-a-whole": 2})
def act(sim):
    ...
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--scenarios", "long.py"],
        ["schedule", str(ROOT / "examples" / "shop"), "--days", "120", "--start", "2026-01-01"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_table_loses_nothing_on_a_narrow_screen(arguments, folder, capsys, monkeypatch) -> None:
    (folder / "long.py").write_text(LONG)

    def shown(columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert call(arguments) == 0
        return capsys.readouterr().out

    wide, narrow = shown(1000), shown(40)
    assert words(wide) <= words(narrow)
    assert "|" in wide
    assert "|" not in narrow


def outcome(variant: str, *verdicts: Verdict) -> tuple[list[Scenario], list[VariantResult]]:
    made = scenario(name="late", question="Is it?", variants={variant: 0})(lambda sim: None)
    return [made], [VariantResult("late", variant, 0, 3, verdicts)]


HELD, BROKE = Verdict("it holds", True), Verdict("it is told", False, "it is not")


def test_verdicts_side_by_side_become_a_list(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    summary(console(), *outcome("unmistakably-overlong-name-of-it", HELD, BROKE))
    lines = capsys.readouterr().out.splitlines()
    assert "unmistakably-overlong-name-of-it: BROKEN" in lines
    assert "unmistakably-overlong-name-of-it: 1 of 2 hold" in lines


@pytest.mark.parametrize(("columns", "bar"), [(40, False), (100, True)])
def test_progress_on_a_narrow_terminal_is_a_count_without_a_bar(columns: int, bar: bool) -> None:
    scenarios, _ = outcome("unmistakably-overlong-name-of-it")
    drawn = io.StringIO()
    screen = Console(file=drawn, force_terminal=True, width=columns)
    with Display(screen, scenarios) as display:
        display.started("late", "unmistakably-overlong-name-of-it")
    assert re.search(r"late .*0/1", re.sub(r"\x1b\[[\d;?]*\w", "", drawn.getvalue()))
    assert ("━" in drawn.getvalue()) == bar
    assert "…" not in drawn.getvalue()


def test_verbose_tells_each_expectation(capsys) -> None:
    scenarios, [result] = outcome("one", HELD, BROKE)
    Display(console(), scenarios, verbose=True).finished(result)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  holds: it holds",
        "  BROKEN: it is told",
        "    it is not",
    ]


def test_quiet_tells_warnings_alone_and_not_on_standard_output(capsys) -> None:
    scenarios, [result] = outcome("one", BROKE)
    screen = console(quiet=True)
    with Display(screen, scenarios, verbose=True) as display:
        display.finished(result)
        display.warned("the file is locked")
    summary(screen, scenarios, [result])
    assert capsys.readouterr() == ("", "warning: the file is locked\n")


def test_verbose_shows_every_difference() -> None:
    found = [Difference("later", "s", "v", f"run {n}", "1", "2") for n in range(5)]
    assert "  and 2 more of s [v]" in difference_lines(found, "a", "b")
    every = difference_lines(found, "a", "b", every=True)
    assert [line for line in every if "run" in line] == [f"  s [v]: run {n}" for n in range(5)]


@pytest.mark.parametrize("verbose", [False, True])
def test_what_flows_print_is_shown_if_a_project_is_verbose(verbose: bool, capfd) -> None:
    with apart(None, verbose=verbose):
        os.write(1, b"printed by a flow\n")
    os.write(1, b"the answer\n")
    assert capfd.readouterr() == ("the answer\n", "printed by a flow\n" if verbose else "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "coloured", "alive"),
    [
        (Terminal(), {}, True, True),
        (Terminal(), {"NO_COLOR": "1"}, False, True),
        (io.StringIO(), {}, False, False),
        (io.StringIO(), {"FORCE_COLOR": "1", "GITHUB_ACTIONS": "true"}, False, False),
    ],
)
def test_colours_and_bars_are_for_terminals(
    stream, environment, coloured, alive, monkeypatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", stream)
    screen = console()
    screen.print("x", style="red")
    assert ("\x1b[31m" in stream.getvalue()) == coloured
    assert screen.is_terminal == alive


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--json", "--quiet"],
        ["run", "--quiet", "--verbose"],
        ["doctor", "--json", "--quiet"],
        ["project", "--json", "--quiet"],
        ["audit", "--quiet", "--verbose"],
        ["audit", "--json", "--markdown"],
        ["upgrade", "--to", "3.9", "--json", "--quiet"],
        ["schedule", "--json", "--icalendar"],
        ["compare", "a", "b", "--json", "--verbose"],
    ],
)
def test_what_excludes_each_other_is_named(arguments, capsys) -> None:
    assert call(arguments) == 2
    one, other = arguments[-2:]
    assert capsys.readouterr().err == f"simulate: {one} and {other} exclude each other\n"
