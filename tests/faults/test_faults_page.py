"""`docs/faults.md` is what the kinds say of themselves, and its example runs.

`python tests/faults/test_faults_page.py` writes it anew.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from simulator.errors import SimulationError
from simulator.faults import from_plain
from simulator.faults.events import EventFault
from simulator.faults.kinds import ALL, KINDS
from simulator.faults.nodes import NodeFault
from simulator.faults.plans import Fault, StepFault
from simulator.faults.requests import ApiFault
from simulator.faults.starts import StartFault
from simulator.faults.timed import TimedFault

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

GROUPS: dict[str, type[Fault]] = {
    "Steps": StepFault,
    "The API": ApiFault,
    "Events": EventFault,
    "Starts of processes": StartFault,
    "At an instant": TimedFault,
    "dbt": NodeFault,
}


def _text(kind: type) -> str:
    """A docstring without the section about arguments, in one line."""
    said = (inspect.getdoc(kind) or "").partition("\nArgs:")[0]
    return " ".join(said.split())


def _arguments(kind: type[Fault]) -> list[str]:
    """The section about arguments of a docstring, an item each."""
    said = (inspect.getdoc(kind) or "").partition("\nArgs:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", said, re.MULTILINE)
    return [f"- `{name}`: {' '.join(text.split())}" for name, text in found]


def _table(group: type[Fault]) -> list[str]:
    common = {one.name for one in fields(group)}
    rows = ["| kind | in files | what happens | parameters |", "|---|---|---|---|"]
    for kind in ALL:
        if issubclass(kind, group):
            own = ", ".join(f"`{one.name}`" for one in fields(kind) if one.name not in common)
            rows.append(f"| `{kind.__name__}` | {kind.kind} | {_text(kind)} | {own} |")
    return rows


def page(written: str) -> str:
    """The page: what stands before the first group is written by hand, the rest by the kinds."""
    lines = [written.partition("\n## For all of them\n")[0].rstrip(), "", "## For all of them", ""]
    lines += _arguments(Fault)
    for name, group in GROUPS.items():
        lines += ["", f"## {name}", "", _text(group), *([""] if _arguments(group) else [])]
        lines += [*_arguments(group), "", *_table(group)]
    return "\n".join(lines) + "\n"


def test_the_page_says_what_the_kinds_say() -> None:
    written = PAGE.read_text()
    assert page(written) == written


def test_each_kind_belongs_to_one_group() -> None:
    for kind in ALL:
        assert len([group for group in GROUPS.values() if issubclass(kind, group)]) == 1, kind


def test_the_example_is_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [output] = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == output


def test_a_word_for_a_kind_is_the_one_of_files() -> None:
    for word in KINDS:
        with pytest.raises(SimulationError) as refused:
            from_plain({"kind": f"{word}s"})
        assert repr(word) in str(refused.value)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
