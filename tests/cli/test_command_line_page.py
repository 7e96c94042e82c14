"""docs/command-line.md lists every command, in the form in which it is called."""

import re
from pathlib import Path

import typer

from simulator.cli import call
from simulator.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
LISTED = re.findall(r"^\| `simulate ([a-z]+)` \|", PAGE, re.MULTILINE)


def test_every_command_is_listed_once() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert sorted(LISTED) == sorted(known)


def test_each_has_a_help_that_is_there_at_once(capsys) -> None:
    for name in LISTED:
        assert call([name, "--help"]) == 0
        assert f"simulate {name}" in capsys.readouterr().out


def test_an_option_that_is_not_there_ends_with_2_for_each(capsys) -> None:
    for name in LISTED:
        assert call([name, "--nonsense"]) == 2
        assert capsys.readouterr().err.startswith("simulate: ")
