"""Finding a lesson: by its name, or in a file that a learner has made of one."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

from simulator.arguments import unknown
from simulator.errors import SimulationError
from simulator.lessons.lesson import Lesson
from simulator.places import place_of_error

ORDER = (
    "subflow-or-deployment",
    "masked-failures",
    "cadence-and-caching",
    "cron-or-chaining",
    "limits-and-shared-resources",
    "retries-and-outages",
    "zombies-and-heartbeats",
    "backfill-and-catch-up",
)
"""The names of the lessons, in the order in which they are read."""

NAMES = (
    "QUESTION",
    "ANSWERS",
    "KNOB",
    "GIVEN",
    "LANES",
    "run",
    "figures",
    "right",
    "sentence",
    "CHANGE",
    "solved",
    "EXERCISE",
)
"""What the file of a lesson has; `settings` it may have."""


def listed() -> dict[str, str]:
    """The title of each lesson by its name. Nothing is imported for it."""
    return {name: _title(source_of(name)) for name in ORDER}


def source_of(name: str) -> str:
    """The text of a lesson's file. Raises SimulationError if there is no lesson of that name."""
    if name not in ORDER:
        raise unknown("lesson", name, ORDER, few=True)
    module = f"{name.replace('-', '_')}.py"
    return (files("simulator.lessons") / "course" / module).read_text(encoding="utf-8")


def load(name: str) -> Lesson:
    """The lesson of that name; one that ends with ".py" is a learner's own file.

    Raises SimulationError, in one line, if there is none, or what the file lacks.
    """
    if not name.endswith(".py"):
        source_of(name)
        module = importlib.import_module(f"simulator.lessons.course.{name.replace('-', '_')}")
    else:
        module = _imported(Path(name))
    file = Path(str(module.__file__))
    source = file.read_text(encoding="utf-8")
    has = vars(module)
    if missing := [one for one in NAMES if one not in has]:
        raise SimulationError(f"{name} is no lesson: it has no {missing[0]}")
    if len(has["LANES"]) != 2:
        raise SimulationError(f"{name}: LANES has {len(has['LANES'])} flows, and must have two")
    return Lesson(
        name=name,
        title=_title(source),
        file=file,
        source=source,
        question=has["QUESTION"],
        answers=has["ANSWERS"],
        knob=has["KNOB"],
        given=has["GIVEN"],
        lanes=has["LANES"],
        settings=has.get("settings", _none),
        run=has["run"],
        figures=has["figures"],
        right=has["right"],
        sentence=has["sentence"],
        change=has["CHANGE"],
        exercise=has["EXERCISE"],
    )


def _none(_: float) -> Mapping[str, Any]:
    return {}


def _title(source: str) -> str:
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0].removesuffix(".")


def _imported(file: Path) -> ModuleType:
    """A learner's file, imported under the name that it has."""
    if not file.is_file():
        raise SimulationError(
            f"there is no file {str(file)!r}: `simulate learn LESSON --copy {file}` writes one"
        )
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as broken:
        del sys.modules[file.stem]
        where = (
            f"{file}:{broken.lineno}"
            if isinstance(broken, SyntaxError)
            else place_of_error(broken.__traceback__)
        )
        raise SimulationError(
            f"{file} does not import: {type(broken).__name__}: {broken} ({where})"
        ) from broken
    return module
