"""Scripts that serve or deploy: found by reading, without running anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = {".venv", "venv", "node_modules", "site-packages", "tests", "test", "build", "dist"}
"""Folders in which no script of the project is."""


@dataclass(frozen=True)
class Script:
    """A file that serves or deploys on `line` when it is run."""

    file: Path
    line: int

    def where(self, folder: Path) -> str:
        """Its "file:line", from a folder on."""
        return f"{self.file.relative_to(folder)}:{self.line}"


def files(folder: Path, pattern: str) -> Iterator[Path]:
    """The files of a project by this pattern, in the order of their names; not those of its
    environments.
    """
    for file in sorted(folder.rglob(pattern)):
        inner = file.relative_to(folder).parts[:-1]
        if not any(part in LEFT_OUT or part.startswith(".") for part in inner):
            yield file


def python_files(folder: Path) -> Iterator[Path]:
    """The Python files of a project, in the order of their names."""
    return files(folder, "*.py")


def scripts(folder: Path) -> list[Script]:
    """The files of a project that serve or deploy if they are run as scripts."""
    return [found for file in python_files(folder) if (found := script(file)) is not None]


def script(file: Path) -> Script | None:
    """A file as a script; None if nothing in it serves or deploys, or if it is no Python."""
    tree = parsed(file)
    if tree is None:
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    serving = [call for call in calls if called(call) in ("serve", "deploy", "aserve")]
    if not serving:
        return None
    return Script(file, min(call.lineno for call in serving))


def as_module(file: Path) -> tuple[Path, str] | None:
    """The folder from which `python -m` runs a file that imports relatively to itself, and its name
    there: "jobs.serving". None for any other file.
    """
    tree = parsed(file)
    levels = [
        node.level
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    if not levels or max(levels) >= len(file.parents):
        return None
    folder = file.parents[max(levels)]
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    parts = file.relative_to(folder).with_suffix("").parts
    return (folder, ".".join(parts)) if all(part.isidentifier() for part in parts) else None


def parsed(file: Path) -> ast.Module | None:
    """The tree of a file of Python; None if it is none."""
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return None


def texts(file: Path) -> set[str]:
    """All texts that stand in a file of Python; none if it is none."""
    tree = parsed(file)
    return {
        node.value
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def called(call: ast.Call) -> str:
    """The last name of what is called: `serve` of `flow.serve(...)`."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
