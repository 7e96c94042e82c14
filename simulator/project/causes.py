"""Why the file of a flow could not be imported, in a user's words."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simulator.places import is_users_file, place_of_error, short
from simulator.process import lacked
from simulator.project.packages import package_of


def cause_of(error: BaseException, folder: Path) -> str:
    """Why an import failed: what is missing, and where the user's own code asks for it.

    `folder` is the project's.
    """
    inner = _innermost(error)
    place = place_of_error(inner.__traceback__)
    told = _told(inner, folder)
    return f"{told} ({place})" if place else told


def unset_of(error: BaseException) -> tuple[str, ...]:
    """The environment variables for want of which an import failed; empty if it was something else."""
    return lacked(_innermost(error))


def _innermost(error: BaseException) -> BaseException:
    """What the user's file raised, without what Prefect has wrapped around it."""
    wrapped = getattr(error, "user_exc", None)
    return error if wrapped is None else _innermost(wrapped)


def _told(error: BaseException, folder: Path) -> str:
    missing = _missing(error)
    if missing is not None:
        return _missing_module(*missing, _imported(error, missing[0]), folder)
    if unset := lacked(error):
        many, names = len(unset) > 1, " and ".join(map(repr, unset))
        return f"the environment variable{'s' * many} {names} {'are' if many else 'is'} not set"
    if isinstance(error, FileNotFoundError) and error.filename:
        return _missing_file(Path(str(error.filename)))
    if isinstance(error, SyntaxError) and error.filename:
        version = ".".join(map(str, sys.version_info[:2]))
        return f"Python {version} cannot read {short(error.filename)}:{error.lineno}: {error.msg}"
    said = said_of(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def said_of(error: BaseException) -> str:
    """What an error says, in one line: of what Pydantic or a server refuses only the reasons, without
    the request and where to read about it.
    """
    for one in (error, error.__cause__, error.__context__):
        try:
            if callable(errors := getattr(one, "errors", None)):
                return "; ".join(map(_reason, errors()))
            if response := getattr(one, "response", None):
                return "; ".join(map(_reason, response.json()["exception_detail"]))
        except (ValueError, KeyError, TypeError):
            continue  # it is of another form
    return " ".join(str(error).split())


def _reason(refused: Mapping[str, Any]) -> str:
    """One reason of Pydantic's, and the place of what it is about."""
    place = ".".join(str(part) for part in refused["loc"] if part != "body")
    said = " ".join(str(refused["msg"]).removeprefix("Value error, ").split())
    return f"{place}: {said}" if place else said


def _missing(error: BaseException) -> tuple[str, str] | None:
    """The module that could not be imported because it is not there, and what was asked of it, such as
    "google.cloud" and "google.cloud.bigquery"; None for another error.

    A package that several share is there as soon as one of them is: it only lacks a name.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = re.match(r"from ([\w.]+) import (\w+)", frame.line or "")
        asked = ".".join(said.groups()) if said and said[1] == error.name else error.name
        return error.name, asked
    lacks = re.match(r"cannot import name '(\w+)' from '[\w.]+' \(unknown", str(error))
    if isinstance(error, ImportError) and error.name and lacks:
        name = f"{error.name}.{lacks[1]}"
        return name, name
    return None


def _imported(error: BaseException, name: str) -> str:
    """What a line imports of a missing module: of `from a.b import c`, where "a" is missing, "a.b"."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = re.search(rf"\b{re.escape(name)}(\.\w+)*", frame.line or "")
    return said[0] if said else name


def _missing_module(name: str, asked: str, imported: str, folder: Path) -> str:
    top, *inner = name.split(".")
    own = [*_own_modules(top, folder), *_own_folders(imported, folder)]
    there = [one for one in own if _has(one, inner)]
    if there:
        relative = there[0].parent.relative_to(folder)
        return (
            f"the module {name!r} is the project's own, in {str(relative)!r}, and Python does not"
            f" look there: set PYTHONPATH, or install it (pip install -e)"
        )
    if own:
        return f"the project's own {str(own[0].relative_to(folder))!r} has no {'.'.join(inner)!r}"
    spec = importlib.util.find_spec(top) if inner else None
    if spec is not None and spec.origin is not None:
        return f"the {top!r} that is installed has no {'.'.join(inner)!r}: another version is meant"
    return f"the module {name!r} is not installed (pip install {package_of(asked, folder)})"


def _has(module: Path, inner: list[str]) -> bool:
    """Whether there is a module inside of a package, by the parts of its name."""
    place = module.joinpath(*inner)
    return not inner or place.is_dir() or place.with_suffix(".py").is_file()


def _own_modules(top: str, folder: Path) -> Iterator[Path]:
    for pattern in (f"**/{top}.py", f"**/{top}/__init__.py"):
        for found in sorted(folder.glob(pattern)):
            module = found.parent if found.name == "__init__.py" else found
            if _is_own(found, module, folder):
                yield module


def _own_folders(imported: str, folder: Path) -> Iterator[Path]:
    """Folders without `__init__.py`, which are packages too, if they have what is imported of them."""
    path = imported.replace(".", "/")
    for pattern in (f"**/{path}.py", f"**/{path}/*.py") if "/" in path else ():
        for found in sorted(folder.glob(pattern)):
            inner = path.count("/") + (found.stem != path.rpartition("/")[2])
            if _is_own(found, found.parents[inner - 1], folder):
                yield found.parents[inner - 1]


def _is_own(file: Path, module: Path, folder: Path) -> bool:
    """Whether a file of a module is the user's own, and not where Python looks for the project's."""
    return module.parent != folder and is_users_file(str(file)) and ".venv" not in file.parts


def _missing_file(file: Path) -> str:
    beside = file.parent.iterdir() if file.parent.is_dir() else ()
    other = [one.name for one in beside if one.name.lower() == file.name.lower()]
    if other:
        return f"there is no {file.name!r}, only {other[0]!r}: upper and lower case differ"
    return f"there is no file {str(file)!r}"
