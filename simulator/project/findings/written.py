"""What the files of a project say about its design, without running anything."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

from simulator import arguments
from simulator.project.findings.finding import Finding
from simulator.project.loading import Loaded
from simulator.project.scripts import called, parsed, python_files

CALLS = ("run_deployment", "arun_deployment")

AT_IMPORT = {"now", "today", "utcnow", "uuid4", "uuid1", "time"}
"""Calls whose value in a default is that of the day on which the file was imported."""


def written(
    folder: Path, loaded: Collection[Loaded], known: Collection[str] | None
) -> Iterator[Finding]:
    """The findings in a project's files. `known` are all deployments that there are, "flow/deployment",
    or "*/deployment" where nobody knows the flow, as of those that could not be imported; None if nobody
    knows the names, as of a script that could not be run.
    """
    for one in loaded:
        for key, where in one.declared.ignored if one.declared is not None else ():
            yield Finding(
                "ignored key",
                one.name,
                f"`{key}` of {one.name}: Prefect does not read it there{_instead(key)}",
                where=where,
            )
    for file in python_files(folder):
        tree = parsed(file)
        if tree is not None:
            place = str(file.relative_to(folder))
            yield from () if known is None else _unknown(tree, place, known)
            yield from _frozen(tree, place)


def names_in(folder: Path) -> tuple[set[str], set[str]]:
    """The names of flows that the files of a project make, and all texts in them that are one word, such
    as the names of states.
    """
    flows: set[str] = set()
    words: set[str] = set()
    for tree in filter(None, map(parsed, python_files(folder))):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_flow(node):
                flows.add(node.name.replace("_", "-"))
            elif isinstance(node, ast.keyword) and node.arg == "name":
                value = getattr(node.value, "value", None)
                flows.update({value} if isinstance(value, str) else ())
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.update({node.value} if node.value.isidentifier() else ())
    return flows, words


def _instead(key: str) -> str:
    if key in ("job_variables", "env", "work_queue_name"):
        wanted = "work_pool.job_variables.env" if key == "env" else f"work_pool.{key}"
        return f": it belongs under {wanted}"
    if key in ("work_pool.env", "work_pool.image"):
        return f": it belongs under work_pool.job_variables.{key.partition('.')[2]}"
    return ""


def _unknown(tree: ast.Module, place: str, known: Collection[str]) -> Iterator[Finding]:
    plain = {name.partition("/")[2] for name in known if name.startswith("*/")}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or called(node) not in CALLS:
            continue
        name = _name_of(node)
        if name is None or name in known or name.partition("/")[2] in plain:
            continue
        whole = [one for one in known if not one.startswith("*/")]
        near = arguments.unknown("deployment", name, whole)
        yield Finding(
            "unknown deployment",
            name,
            f"{called(node)}({name!r}): {near}",
            where=f"{place}:{node.lineno}",
        )


def _name_of(call: ast.Call) -> str | None:
    """The "flow/deployment" that a call names in so many words; None for an id or an expression."""
    given = [*call.args[:1], *(one.value for one in call.keywords if one.arg == "name")]
    value = given[0] if given else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and "/" in value.value:
        return value.value
    return None


def _frozen(tree: ast.Module, place: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not _is_flow(node):
            continue
        own = node.args
        for default in [*own.defaults, *filter(None, own.kw_defaults)]:
            calls = [one for one in ast.walk(default) if isinstance(one, ast.Call)]
            if any(_is_of_the_moment(one) for one in calls):
                yield Finding(
                    "frozen default",
                    node.name,
                    f"the default {ast.unparse(default)} of {node.name!r} is computed once, when the"
                    " file is imported, and stands in the deployment from then on",
                    where=f"{place}:{default.lineno}",
                )


def _is_of_the_moment(call: ast.Call) -> bool:
    """Whether it gives another value each day. `time(8, 30)` is an hour of any day."""
    given = bool(call.args or call.keywords)
    return called(call) in AT_IMPORT and not (given and called(call) == "time")


def _is_flow(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        "flow" in (getattr(name, "id", None), getattr(name, "attr", None))
        for one in function.decorator_list
        for name in ast.walk(one)
    )
