"""Which stub would spare what was refused: the function that the user's own line calls."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simulator.caveats import Caveat
from simulator.places import short
from simulator.project.scripts import parsed


@dataclass(frozen=True)
class Proposal:
    """What was refused, a connection or an adapter of dbt's, "file:line" of the user's code that led to
    it, and the dotted name of what is called there; None if no import says it.
    """

    said: str
    where: str
    stub: str | None


def proposals(caveats: Iterable[Caveat]) -> list[Proposal]:
    """One for each line from which something was refused, whether or not its run failed of it."""
    refused = [one for one in caveats if one.kind in ("network", "adapter")]
    return [Proposal(one.message, one.where, called_at(one.where)) for one in refused]


def as_toml(proposed: Iterable[Proposal]) -> str:
    """The proposals as a table of a simulation.toml, each stub once."""
    lines, told = ["[stubs]"], set()
    for one in proposed:
        why = f"# {one.said}, at {short(one.where)}"
        if one.stub is None:
            lines.append(f"{why}: no imported function is called there, so stub the step around it")
        elif one.stub not in told:
            told.add(one.stub)
            lines.append(f'"{one.stub}" = {{ returns = "..." }}  {why}')
    return "\n".join(lines)


def called_at(where: str) -> str | None:
    """The dotted name of the imported function, or of the method of an imported class, that is called on
    a line, "file:line".
    """
    file, _, line = where.rpartition(":")
    tree = parsed(Path(file))
    if tree is None or not line.isdigit():
        return None
    names = dict(_imported(tree))
    made = dict(_made(tree))
    calls = _calls_on(tree, int(line))
    asked = [one.func.value for one in calls if isinstance(one.func, ast.Attribute)]
    for call in calls:
        found = _name(call.func, names)
        root = _root(call.func)
        maker = made.get(root) or getattr(call.func, "value", None)
        if found is None and isinstance(maker, ast.Call):
            found = _name(maker.func, names)
            if found is not None and _is_class(found):
                found += _method(call.func)
        elif found is not None and call in asked and _is_class(found):
            continue  # of the object a method is called
        if found is not None and "." in found:
            return found
    return None


def _is_class(name: str) -> bool:
    """Whether a dotted name looks like that of a class: `Session`, `dbtRunner`."""
    last = name.rpartition(".")[2]
    return last != last.lower() and "_" not in last


def _calls_on(tree: ast.Module, line: int) -> list[ast.Call]:
    """The calls that go over a line, those of the fewest lines first, then from left to right."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    over = [one for one in calls if one.lineno <= line <= (one.end_lineno or one.lineno)]
    return sorted(
        over, key=lambda one: ((one.end_lineno or 0) - one.lineno, one.end_col_offset or 0)
    )


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that imports bind, and what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                whole = one.name if one.asname else one.name.partition(".")[0]
                yield one.asname or whole, whole
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def _made(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """The names that are bound to what a call returns, such as a client."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif (
            isinstance(node, ast.withitem)
            and isinstance(node.optional_vars, ast.Name)
            and isinstance(node.context_expr, ast.Call)
        ):
            yield node.optional_vars.id, node.context_expr


def _name(function: ast.expr, names: dict[str, str]) -> str | None:
    """What a dotted expression stands for, if it begins with something that was imported."""
    if isinstance(function, ast.Attribute):
        inner = _name(function.value, names)
        return None if inner is None else f"{inner}.{function.attr}"
    return names.get(function.id) if isinstance(function, ast.Name) else None


def _method(function: ast.expr) -> str:
    """What is called of an object of a class, as ".get" of `session.get`; empty if it is further in."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name | ast.Call):
        return f".{function.attr}"
    return ""


def _root(function: ast.expr) -> str:
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""
