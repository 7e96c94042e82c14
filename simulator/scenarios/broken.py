"""What broke, in words: the failed assertion, the line it stands on, the runs it was looking at."""

from __future__ import annotations

import ast
import difflib
import linecache
import site
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from simulator.errors import SimulationError
from simulator.history import RunRecord

if TYPE_CHECKING:
    from simulator.simulation import Simulation

LIBRARIES = tuple(
    str(Path(folder).resolve())
    for folder in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *site.getsitepackages(),
    }
)
OWN = str(Path(__file__).resolve().parents[1])

SHOWN = 3
"""Of the runs that a failed statement reads, so many that ended badly are shown."""


@dataclass(frozen=True)
class Explanation:
    """Why a function raised.

    `message` is what was raised (several lines for an assertion), `where` is "file:line" of the
    innermost line of the user's own, `runs` are the run records in the failed statement.
    """

    message: str
    where: str = ""
    runs: tuple[RunRecord, ...] = ()
    traceback: str = ""


def explain(error: BaseException) -> Explanation:
    """Explain an error that was raised and caught."""
    start = _from_users(error.__traceback__)
    stack = list(traceback.walk_tb(start))
    users = [(frame, line) for frame, line in stack if _is_users(frame.f_code.co_filename)]
    where = ""
    runs: tuple[RunRecord, ...] = ()
    if users:
        frame, line = users[-1]
        where = f"{short_path(frame.f_code.co_filename)}:{line}"
        runs = _runs_in(reversed(users)) or _runs_read_in(frame, line)
    text = traceback.format_exception(type(error), error, start)
    return Explanation(_message(error, users), where, runs, "".join(text))


def explained(sim: Simulation, runs: Iterable[RunRecord]) -> tuple[str, ...]:
    """Why runs ended as they did, as far as they are the simulation's."""
    from simulator.history import explain

    history = sim.history()
    known = {run.id for run in history.runs(upcoming=True)}
    return tuple(str(explain(history, run)) for run in runs if run.id in known)


def nearest(name: str, known: Iterable[str]) -> str:
    """End of an error about an unknown name: the nearest known one, else all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(map(repr, known))}" if known else ""


def short_path(file: str | Path) -> str:
    """The path as a user would type it: relative to the working folder if below it."""
    try:
        return str(Path(file).resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)


def _message(error: BaseException, users: list[tuple[FrameType, int]]) -> str:
    said = str(error).strip()
    if isinstance(error, AssertionError):
        if said.startswith("assert ") or "\nassert " in said or not users:
            return said or "assertion failed"
        # Without assertion rewriting: the statement itself says what was expected.
        frame, line = users[-1]
        statement = _statement(frame.f_code.co_filename, line)
        source = ast.unparse(statement) if statement else ""
        return "\n".join(part for part in (said, source) if part) or "assertion failed"
    if isinstance(error, SimulationError):
        return said.partition("\n")[0]
    kind = type(error).__name__
    return f"{kind}: {said}" if said else kind


def _from_users(tb: TracebackType | None) -> TracebackType | None:
    """The part of the traceback from the user's own code on; all of it if there is none."""
    here = tb
    while here is not None and not _is_users(here.tb_frame.f_code.co_filename):
        here = here.tb_next
    return here or tb


def _is_users(file: str) -> bool:
    if file.startswith("<"):
        return False
    resolved = str(Path(file).resolve())
    return not resolved.startswith((*LIBRARIES, OWN))


def _runs_in(frames: Iterator[tuple[FrameType, int]]) -> tuple[RunRecord, ...]:
    """The run records in the innermost statement that names any; else those in its frame."""
    for frame, line in frames:
        local = {name: v for name, v in frame.f_locals.items() if isinstance(v, RunRecord)}
        if not local:
            continue
        statement = _statement(frame.f_code.co_filename, line)
        named = {
            node.id
            for node in (ast.walk(statement) if statement else ())
            if isinstance(node, ast.Name)
        }
        chosen = [run for name, run in local.items() if name in named] or local.values()
        return tuple({repr(run): run for run in chosen}.values())
    return ()


def _runs_read_in(frame: FrameType, line: int) -> tuple[RunRecord, ...]:
    """The first that ended badly of the runs that a statement reads, as `sim.runs("nightly")` does."""
    statement = _statement(frame.f_code.co_filename, line)
    found: dict[str, RunRecord] = {}
    for node in ast.walk(statement) if statement else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="runs")):
                read = getattr(frame.f_locals.get(name), "runs", None)
            case _:
                continue
        try:
            arguments = [ast.literal_eval(one) for one in node.args]
            named = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
            runs = read(*arguments, **named) if read is not None else []
        except (ValueError, TypeError, SimulationError):
            continue  # what it is asked for cannot be told from its text
        bad = [run for run in runs if isinstance(run, RunRecord) and _ended_badly(run)]
        found |= {repr(run): run for run in bad}
    return tuple(found.values())[:SHOWN]


def _ended_badly(run: RunRecord) -> bool:
    return not run.completed or any(one.failed for one in run.descendants())


def _statement(file: str, line: int) -> ast.stmt | None:
    """The innermost statement on this line of the file, if its source is there."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    found = None
    for node in ast.walk(tree):  # outer statements come before inner ones
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            found = node
    return found
