"""Find scenarios in Python files, and import these so that a failed assert explains itself."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from simulator.errors import SimulationError
from simulator.places import is_users
from simulator.scenarios.broken import nearest, short_path
from simulator.scenarios.definition import REGISTRY, Scenario

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SCENARIO_LINE = re.compile(r"^@(\w+\.)?scenario\(", re.MULTILINE)
HOW_TO_WRITE_ONE = "python -m pydoc simulator.scenario shows how to write one"
IMPORT_LINE = re.compile(r"^\s*(from|import)\s+simulator\b", re.MULTILINE)


def load(*paths: Path) -> list[Scenario]:
    """Import scenario files and return what they define, in the order of files and lines.

    Args:
        paths: files, or folders of which every `*.py` is a scenario file except those whose name
            begins with an underscore and `conftest.py`.

    Raises:
        SimulationError: naming the file and the reason, if one does not exist, does not import,
            has no scenario, or uses a name twice.
    """
    found: dict[str, Scenario] = {}
    for file in scenario_files(*paths):
        for scenario in load_file(file):
            if scenario.name in found:
                raise SimulationError(
                    f"{short_path(file)}: there is a scenario {scenario.name!r} already, "
                    f"in {short_path(found[scenario.name].file)}"
                )
            found[scenario.name] = scenario
    return list(found.values())


def scenario_files(*paths: Path) -> list[Path]:
    """The scenario files that `load` imports. Raises SimulationError if there is none."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [
                file
                for file in sorted(path.glob("*.py"))
                if not file.name.startswith("_") and file.name != "conftest.py"
            ]
            if not inside:
                raise SimulationError(f"{path} has no scenario files (*.py); {HOW_TO_WRITE_ONE}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise SimulationError(f"{path} does not exist: no scenarios there; {HOW_TO_WRITE_ONE}")
    return files


def load_file(file: Path) -> list[Scenario]:
    """The scenarios of one file, in the order of its lines. Raises SimulationError as `load`."""
    module = _imported(file)
    scenarios: list[Scenario] = vars(module).get(REGISTRY, [])
    if not scenarios:
        raise SimulationError(
            f"{short_path(file)} has no scenario: no function with @scenario(...)"
        )
    return scenarios


def select(scenarios: Iterable[Scenario], names: Iterable[str]) -> list[Scenario]:
    """Those of the scenarios with these names, in the order of the names; all without names.

    Raises:
        SimulationError: for an unknown name, with the nearest known one.
    """
    by_name = {scenario.name: scenario for scenario in scenarios}
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in by_name:
            raise SimulationError(f"no scenario {name!r}{nearest(name, by_name)}")
    return [by_name[name] for name in names or by_name]


def looks_like_scenarios(file: Path) -> bool:
    """Whether the text of a file defines scenarios, without importing it."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(SCENARIO_LINE.search(text) and IMPORT_LINE.search(text))


class RewritingLoader(importlib.machinery.SourceFileLoader):
    """Imports a file with pytest's assertion rewriting, also outside of pytest.

    `pytest.register_assert_rewrite` works only inside a pytest session, so this calls the function
    behind it. Bytecode is neither read nor written: a cached file would not be rewritten.
    """

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file, rewritten."""
        file = self.get_filename(fullname)
        return self.source_to_code(self.get_data(file), file)

    def source_to_code(  # type: ignore[override]
        self, data: ReadableBuffer | str, path: Any, *, _optimize: int = -1
    ) -> CodeType:
        """Compile the source, rewritten."""
        from simulator.patches.pytest import rewrite_asserts

        source = data.encode() if isinstance(data, str) else bytes(data)
        tree = ast.parse(source, filename=str(path))
        rewrite_asserts(tree, source, str(path))
        code: CodeType = compile(tree, str(path), "exec", dont_inherit=True, optimize=_optimize)
        return code


def _imported(file: Path) -> ModuleType:
    """The module of the file, imported anew, with its project's root on the import path."""
    file = file.resolve()
    root = file.parent.parent
    parts = [file.parent.name, file.stem]
    while (root / parts[0] / "__init__.py").exists() and (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    name = ".".join(parts)
    spec = importlib.util.spec_from_file_location(
        name, file, loader=RewritingLoader(name, str(file))
    )
    if spec is None or spec.loader is None:
        raise SimulationError(f"{short_path(file)} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as broken:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        raise SimulationError(_does_not_import(file, broken)) from broken
    return module


def _does_not_import(file: Path, broken: BaseException) -> str:
    """One line: the file, the reason, and the line that raised it."""
    if isinstance(broken, SyntaxError) and broken.filename:
        where = f"{short_path(broken.filename)}:{broken.lineno}"
        said = broken.msg
    else:
        # What fails is often a library that does not find another one: the user's line asked for it.
        ours = [
            (frame, line)
            for frame, line in traceback.walk_tb(broken.__traceback__)
            if is_users(frame)
        ]
        where = f"{short_path(ours[-1][0].f_code.co_filename)}:{ours[-1][1]}" if ours else ""
        said = " ".join(str(broken).split())
    reason = f"{type(broken).__name__}: {said}" if said else type(broken).__name__
    place = f" ({where})" if where else ""
    return f"{short_path(file)} does not import: {reason}{place}"
