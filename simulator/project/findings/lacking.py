"""What this machine lacks, and of how many runs of a project that was the end: hosts that may not be
reached, environment variables, modules, programs, true values. No fault of the project's design.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from simulator.history import History, RunRecord
from simulator.places import short

MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
"""What the error of an import inside of a flow says."""

GIT = re.compile(
    r"CalledProcessError: Command .*\bgit\b.*\b(clone|fetch|pull|push|ls-remote|submodule)\b"
    r".* returned non-zero exit status 128"
)
"""What the error of a git says that was kept from another machine: it runs in a process of its own."""


def needs_stub(history: History) -> dict[str, int]:
    """The hosts to which a connection was refused, with the lines that asked for them, and in how many
    runs that failed, whatever their errors say, or go on: libraries wrap what was refused, or hide it.
    """
    asked: dict[str, set[UUID]] = defaultdict(set)
    failed = {run.id for run in history.runs() if run.failed or not run.final}
    for note in history.notes:
        if note.kind == "refused" and note.run_id in failed:
            asked[f"{note.text} at {short(note.where)}"].add(note.run_id)
    for run in history.runs():
        if run.failed and GIT.search(run.message or ""):
            asked["what git asks for, in a process of its own"].add(run.id)
    return {told: len(runs) for told, runs in asked.items()}


def needs_module(history: History) -> dict[str, int]:
    """The modules that are not installed here, and of how many runs that was the end."""
    missing: dict[str, int] = defaultdict(int)
    for run in history.runs():
        if run.failed and (found := MODULE.search(run.message or "")):
            missing[found[1]] += 1
    return dict(missing)


def needs_variable(history: History) -> dict[str, int]:
    """The environment variables that are not set here, and of how many runs that was the end."""
    return _lacking(history, "unset")


def needs_program(history: History) -> dict[str, int]:
    """The programs that are not installed here, and of how many runs that was the end."""
    return _lacking(history, "programs")


def needs_value(history: History) -> int:
    """How many runs ended since a value was made up."""
    return sum(_lacking(history, "made up").values())


def _lacking(history: History, kind: str) -> dict[str, int]:
    """What this machine lacks, of one kind, and of how many runs that was the end."""
    missing: dict[str, set[UUID]] = defaultdict(set)
    failed = {run.id for run in history.runs() if run.failed}
    for note in history.notes:
        if note.kind == "error" and note.run_id in failed:
            for name in note.details.get(kind, ()):
                missing[name].add(note.run_id)
    return {name: len(runs) for name, runs in missing.items()}


def lacking(history: History) -> set[UUID | None]:
    """The runs that met something of this: a module or a git is known by the message of a run alone."""
    return {
        note.run_id
        for note in history.notes
        if note.kind == "refused" or note.details.keys() & {"unset", "programs", "made up"}
    }


def is_of_here(run: RunRecord, lacks: Collection[UUID | None]) -> bool:
    """Whether a run may have failed for what this machine lacks, and not by its project's design: it, or
    what it has called, was refused a connection, or an environment variable, a module, a program or a
    true value is missing.
    """
    message = run.message or ""
    return bool(MODULE.search(message) or GIT.search(message)) or any(
        one.id in lacks for one in (run, *run.descendants())
    )
