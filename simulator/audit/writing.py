"""A pytest file about one cell, that fails until what becomes of it is mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.audit.cells import IN_WORDS
from simulator.audit.judging import Outcome
from simulator.audit.subject import Project
from simulator.audit.table import SERIOUS, Found, in_words
from simulator.audit.twins import named, outermost
from simulator.errors import SimulationError
from simulator.history import History, RunRecord


@dataclass(frozen=True)
class Opened:
    """A cell's worst outcome, with what is known of it: both histories, and the struck tree's root."""

    outcome: Outcome
    before: History
    after: History
    root: RunRecord

    @property
    def name(self) -> str:
        """The first one that the outcome is about."""
        return self.outcome.said.partition(", ")[0]

    @property
    def run(self) -> RunRecord:
        """The run that shows it."""
        assert self.outcome.run_id is not None
        return self.after.run(self.outcome.run_id)

    def struck(self) -> str:
        """The statement that finds the outermost run that is struck."""
        own = [run.id for run in self.before.runs(self.root.flow)]
        return f"run = project.runs({_literal(self.root.flow)})[{own.index(self.root.id)}]"


def as_test(found: Found, before: History, after: History | None, subject: Project) -> str:
    """The file. It belongs into the project's folder, for the fixture `project` to find that.

    Raises SimulationError for a cell of which nothing has to be mended.
    """
    worst = found.worst
    if worst.kind not in SERIOUS or worst.kind not in _CHECKS or after is None:
        raise SimulationError(
            f"{found.cell.name}: no test can be written of what is not seen to be wrong:"
            f" {in_words(worst)}"
        )
    root = outermost(before.run(found.cell.run_id))
    checks = _CHECKS[worst.kind](Opened(worst, before, after, root))
    name = re.sub(r"\W+", "_", found.cell.name).strip("_")
    return _FILE.format(
        cell=found.cell.name,
        words=IN_WORDS[found.cell.column],
        worst=in_words(worst),
        imports="from datetime import timedelta\n\n" if "timedelta(" in checks else "",
        fault=_literal(dict(found.cell.fault)),
        start=subject.start,
        seed=subject.seed,
        name=name,
        days=f"{subject.days:g}",
        checks="\n".join(f"    {line}".rstrip() for line in checks.strip("\n").splitlines()),
    )


_FILE = '''"""{cell}: {words}.

Fails until this is mended: {worst}.
"""

{imports}import pytest

FAULT = {fault}


@pytest.mark.simulation(start="{start}", seed={seed})
def test_{name}(project):
    project.inject(FAULT)
    project.advance(days={days})
{checks}
'''


def _literal(plain: Any) -> str:
    """A value of JSON as Python writes it, in double quotes."""
    if isinstance(plain, str):
        return json.dumps(plain, ensure_ascii=False)
    if isinstance(plain, list):
        return f"[{', '.join(map(_literal, plain))}]"
    if isinstance(plain, dict):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(one)}' for key, one in plain.items())}}}"
    return repr(plain)


def _masked(one: Opened) -> str:
    if one.outcome.said.startswith("task "):
        return f"""
for run in project.runs({_literal(one.run.flow)}):
    bad = [task for task in run.tasks if task.state_type != "COMPLETED"]
    masked = run.completed and run.run_count == 1 and bad
    assert not masked, project.explain(run)
"""
    parent = one.run.parent
    assert parent is not None, "a child is masked by its parent"
    return f"""
for run in project.runs({_literal(parent.flow)}):
    newest = {{(child.flow, str(child.parameters)): child for child in run.children}}
    masked = run.completed and any(child.failed for child in newest.values())
    assert not masked, project.explain(run)
"""


def _zombie(one: Opened) -> str:
    return f"""
for run in project.runs({_literal(one.run.flow)}):
    silent = project.now - run.states[-1].timestamp
    assert run.final or silent < timedelta(hours=6), project.explain(run)
"""


def _unnoticed(one: Opened) -> str:
    return f"""
{one.struck()}
assert not run.completed, "nobody notices"
"""


def _lost(one: Opened) -> str:
    begun = sum(run.start is not None for run in _runs(one.before, one.name))
    return f"""
begun = [run for run in {_query(one.name)} if run.start is not None]
assert len(begun) == {begun}
"""


def _orphan(one: Opened) -> str:
    return f"""
for run in project.runs({_literal(one.run.flow)}):
    parent = run.parent
    alone = parent and parent.end and (run.end is None or run.end > parent.end)
    assert not alone, run
"""


def _skipped(one: Opened) -> str:
    return f"""
{one.struck()}
tree = [run, *run.descendants()]
steps = {{name for one in tree for name in (one.flow, one.deployment, *(t.task for t in one.tasks))}}
assert {_literal(one.name)} in steps
"""


def _stale(one: Opened) -> str:
    newest = [
        note.details["newest"]
        for note in one.before.notes
        if note.kind == "table" and note.text == one.name and note.details.get("newest")
    ]
    return f"""
seen = [note for note in project.history().notes if note.kind == "table"]
newest = [note.details["newest"] for note in seen if note.text == {_literal(one.name)}]
assert newest and newest[-1] == {_literal(newest[-1])}
"""


def _others(one: Opened) -> str:
    failed = sum(run.failed for run in _runs(one.before, one.name))
    return f"""
failed = [run for run in {_query(one.name)} if run.failed]
assert len(failed) <= {failed}, failed
"""


def _doubled(one: Opened) -> str:
    return f"""
{one.struck()}
tree = [run, *run.descendants()]
done = [one for one in tree if {_literal(one.name)} in (one.flow, one.deployment) and one.completed]
done += [task for one in tree for task in one.tasks if task.task == {_literal(one.name)}]
assert sum(one.state_type == "COMPLETED" for one in done) <= {_done(one.root, one.name)}
"""


def _done(root: RunRecord, name: str) -> int:
    tree = (root, *root.descendants())
    runs = sum(run.completed for run in tree if name in (run.flow, run.deployment))
    tasks = (task for run in tree for task in run.tasks if task.task == name)
    return runs + sum(task.state_type == "COMPLETED" for task in tasks)


def _at_once(one: Opened) -> str:
    most, _, name = one.outcome.said.partition(" runs of ")
    return f"""
spans = [(run.start, run.end or project.now) for run in {_query(name)} if run.start]
at_once = [sum(start <= instant < end for start, end in spans) for instant, _ in spans]
assert max(at_once) < {most}
"""


def _broken(one: Opened) -> str:
    return f"""
[promise] = [one for one in project.promises() if one.name == {_literal(one.outcome.said)}]
assert promise.kept, promise
"""


def _query(name: str) -> str:
    return f"project.runs({'deployment=' if '/' in name else ''}{_literal(name)})"


def _runs(history: History, name: str) -> list[RunRecord]:
    return [run for run in history.runs() if named(run) == name]


_CHECKS: dict[str, Callable[[Opened], str]] = {
    "broken promise": _broken,
    "zombie": _zombie,
    "masked": _masked,
    "unnoticed": _unnoticed,
    "lost run": _lost,
    "orphan": _orphan,
    "skipped clean-up": _skipped,
    "stale table": _stale,
    "others fail": _others,
    "doubled work": _doubled,
    "at once": _at_once,
}
"""What has to hold, for each kind of what may become of a fault, and does not."""
