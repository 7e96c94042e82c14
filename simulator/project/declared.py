"""A prefect.yaml: which deployments it declares, on which line, and what is wrong with it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from simulator import arguments
from simulator.errors import SimulationError
from simulator.project.scripts import files, parsed

NAMES = ("prefect.yaml", "prefect.yml")


@dataclass(frozen=True)
class Declared:
    """A deployment as a prefect.yaml declares it. `config` is what Prefect reads of it, without steps of
    build and push; `pull` are its pull steps; `ignored` are the keys, with their places, that Prefect
    does not read. `where` is "file:line". Without an `entrypoint`, "", it cannot be deployed.
    """

    name: str
    entrypoint: str
    config: dict[str, Any]
    pull: tuple[dict[str, Any], ...]
    where: str
    ignored: tuple[tuple[str, str], ...] = ()


def project_file(folder: Path, named: str | None = None) -> Path | None:
    """The prefect.yaml of a folder, or its prefect.yml; None if it has neither. The file that is
    `named`, from the folder on, takes their place.

    Raises SimulationError if that is not there.
    """
    if named is not None:
        if not (folder / named).is_file():
            raise SimulationError(f"prefect_file={named!r} must be a file in the project's folder")
        return folder / named
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def declared(file: Path, folder: Path) -> list[Declared]:
    """The deployments of a prefect.yaml of the project in a folder, in their order; those without a name
    are left out, as by `prefect deploy --all`.

    Raises SimulationError, with file and line, for what Prefect cannot read or would refuse.
    """
    from simulator.patches.prefect import projects

    places, named = _Places(file), file.relative_to(folder)
    raw = places.raw
    _check_entries(places, raw)
    for place, wrong in projects.check(raw):
        raise places.error(_there(raw, place), wrong)
    configs, actions = projects.read(file)
    found: list[Declared] = []
    for number, (config, as_written) in enumerate(zip(configs, raw["deployments"], strict=True)):
        if config.get("name") is None:
            continue
        at = ("deployments", number)
        pull = config.get("pull") if "pull" in config else actions.get("pull")
        kept = {key: value for key, value in config.items() if key not in ("build", "push", "pull")}
        found.append(
            Declared(
                name=str(config["name"]),
                entrypoint=config.get("entrypoint") or "",
                config=kept,
                pull=tuple(pull or ()),
                where=f"{named}:{places.line(at)}",
                ignored=tuple(
                    (key, f"{named}:{line}")
                    for key, line in _ignored(places, at, as_written, projects.KNOWN_KEYS)
                ),
            )
        )
    _check_names(found, folder)
    return found


def flow_name(entrypoint: str, base: Path) -> str:
    """What the flow at an entrypoint ("a/b.py:load" or "a.b.load") is called, as its file says: by
    `name=` of `@flow`, or else after its function.
    """
    path, function = file_of(entrypoint)
    function = function.rpartition(".")[2]  # of a class, perhaps
    tree = parsed(base / path)  # what cannot be read is told where it is loaded
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("flow"):
                    for given in call.keywords:
                        if given.arg == "name" and isinstance(given.value, ast.Constant):
                            return str(given.value.value)
    return function.replace("_", "-")


def file_of(entrypoint: str) -> tuple[str, str]:
    """The file of an entrypoint, from the folder on in which it is loaded, and the function in it."""
    path, _, function = entrypoint.rpartition(":")
    if not path:
        module, _, function = entrypoint.rpartition(".")
        path = f"{module.replace('.', '/')}.py"
    return path, function


def named_elsewhere(folder: Path, read: Path | None) -> set[str]:
    """The deployments, "flow/deployment", that other files of a project declare as a prefect.yaml does:
    all but the one that is `read`. What is wrong with them is nobody's concern here.
    """
    return {
        f"{flow_name(entrypoint, _base_in(folder, file, entrypoint))}/{name}"
        for pattern in ("*.yaml", "*.yml")
        for file in files(folder, pattern)
        if file != read
        for name, entrypoint in _entries_of(file)
    }


def _entries_of(file: Path) -> list[tuple[str, str]]:
    """The name and the entrypoint of each entry that has both, of a file that is like a prefect.yaml."""
    try:
        text = file.read_text(encoding="utf-8")
        if "deployments" not in text or "entrypoint" not in text:
            return []
        raw = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return []
    entries = raw.get("deployments") if isinstance(raw, dict) else None
    return [
        (str(entry["name"]), str(entry["entrypoint"]))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and entry.get("name") and entry.get("entrypoint")
    ]


def _base_in(folder: Path, file: Path, entrypoint: str) -> Path:
    """The folder from which an entrypoint in a file of a project leads to a file that is there: the
    nearest one above it.
    """
    above = [one for one in file.parents if one.is_relative_to(folder)]
    return next((one for one in above if (one / file_of(entrypoint)[0]).is_file()), folder)


def _check_entries(places: _Places, raw: Any) -> None:
    """What Prefect would pass over in silence, or notice in the middle of deploying."""
    if not isinstance(raw, dict):
        raise places.error((), "must be a mapping with a list `deployments`")
    entries = raw.get("deployments")
    if not isinstance(entries, list) or not entries:
        raise places.error(("deployments",), "declares no deployments")
    for number, entry in enumerate(entries):
        at = ("deployments", number)
        if not isinstance(entry, dict):
            raise places.error(at, f"a deployment must be a mapping, not {arguments.shown(entry)}")
        name = entry.get("name")
        if name is None:
            continue
        if entry.get("schedule") and "schedules" in entry:
            raise places.error(
                (*at, "schedules"), f"deployment {name!r} has both `schedule` and `schedules`"
            )


def _there(raw: Any, place: tuple[Any, ...]) -> tuple[Any, ...]:
    """What of a place is in the file: Pydantic adds the kinds that a value might have been of."""
    found: list[Any] = []
    for part in place:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            continue
        found.append(part)
    return tuple(found)


def _check_names(found: Iterable[Declared], folder: Path) -> None:
    first: dict[tuple[str, str], Declared] = {}
    for one in (one for one in found if one.entrypoint):
        before = first.setdefault((one.name, one.entrypoint), one)
        if before is not one:
            raise SimulationError(
                f"{folder / one.where}: deployment {one.name!r} of {one.entrypoint!r} is declared a"
                f" second time; the first is at {before.where}"
            )


def _ignored(
    places: _Places, at: tuple[Any, ...], entry: dict[str, Any], known: Iterable[str]
) -> Iterable[tuple[str, int]]:
    for key in entry:
        # A merge key is YAML's own; `triggers` of other forms are Prefect's to refuse.
        if key not in known and not str(key).startswith(("x-", ".")):
            yield str(key), places.line((*at, key))
    pool = entry.get("work_pool")
    for key in pool if isinstance(pool, dict) else ():
        if key not in ("name", "work_queue_name", "job_variables"):
            yield f"work_pool.{key}", places.line((*at, "work_pool", key))


class _Places:
    """A file of YAML, and the line of each of its values."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            text = file.read_text(encoding="utf-8")
            self.raw: Any = yaml.safe_load(text)
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
        except UnicodeDecodeError as wrong:
            raise SimulationError(f"{file}: is not UTF-8 at byte {wrong.start}") from None
        except OSError as wrong:
            raise SimulationError(f"{file}: cannot be read: {wrong.strerror}") from None
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark
            line = "" if mark is None else f":{mark.line + 1}"
            raise SimulationError(
                f"{file}{line}: is not YAML: {wrong.problem or wrong.context}"
            ) from None
        except yaml.YAMLError as wrong:
            raise SimulationError(f"{file}: is not YAML: {wrong}") from None

    def line(self, path: Iterable[Any]) -> int:
        """The line of the value at `path`, or of the innermost that is there on the way."""
        node: Any = self._root
        line = 1 if node is None else node.start_mark.line + 1
        for part in path:
            if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                node = node.value[part] if part < len(node.value) else None
                mark = node
            elif isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == part]
                mark, node = found[-1] if found else (None, node)
            else:
                break
            if mark is not None:
                line = mark.start_mark.line + 1
        return line

    def error(self, path: Iterable[Any], wrong: str) -> SimulationError:
        """What is wrong with the value at `path`, in one line."""
        path = tuple(path)
        names = [part for part in path[2:] if isinstance(part, str) and part[:1].islower()]
        said = f"`{names[-1]}`: {wrong}" if names and "`" not in wrong else wrong
        return SimulationError(f"{self.file}:{self.line(path)}: {said}")
