"""docs/command-line.md lists every command, in the form in which it is called."""

import json
import re
from pathlib import Path

import typer

from simulator.cli import call
from simulator.cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text()
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


def test_the_variants_that_the_readme_compares_are_of_one_scenario() -> None:
    readme = (ROOT / "README.md").read_text()
    [(one, other)] = re.findall(r'`simulate compare "([^"]+)" "([^"]+)"`', readme)
    texts = [file.read_text() for file in (ROOT / "scenarios").glob("*.py")]
    assert any(f'"{one}": ' in text and f'"{other}": ' in text for text in texts)


def test_the_simulations_that_are_opened_are_there() -> None:
    text = PAGE + (ROOT / "README.md").read_text()
    opened = re.findall(r'simulate ui (?:results --scenario )?(\S+) --variant "([^"]+)"', text)
    assert len(opened) == 2
    texts = [file.read_text() for file in (ROOT / "scenarios").glob("*.py")]
    for name, variant in opened:
        assert any(f'name="{name}"' in one and f'"{variant}": ' in one for one in texts)


def test_the_list_as_json(tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.py").write_text(
        "from simulator.scenario import scenario\n\n"
        "@scenario(name='a', question='Is it?', variants={'b': 1, 'c': 2})\n"
        "def act(sim):\n    ...\n"
    )
    assert call(["list", "--scenarios", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"name": "a", "question": "Is it?", "patterns": [], "variants": ["b", "c"]}
    ]
