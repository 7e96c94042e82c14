"""What of a project has been deployed in a simulation, what could not be, and from which folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from simulator.project.declared import Declared, file_of


@dataclass(frozen=True)
class Loaded:
    """A deployment that lives in the simulation, "flow/deployment", and "file:line" where it is
    declared; `unsimulated` are the pull steps that are left out; `declared` its entry, if it has one.
    """

    name: str
    where: str
    unsimulated: tuple[str, ...] = ()
    declared: Declared | None = None


@dataclass(frozen=True)
class Unloaded:
    """A deployment or a script that could not be imported or deployed, and the cause; `unset` names the
    environment variables that are the cause, if some are. `entrypoint` is that of its entry, if any.
    """

    name: str
    where: str
    cause: str
    unset: tuple[str, ...] = ()
    entrypoint: str = ""


def hinted(one: Unloaded, folder: Path) -> Unloaded:
    """The same, with what to do if its entrypoint counts from a folder above that of the project, up to
    that of the repository.
    """
    above = _up_to_repository(folder) if one.entrypoint else []
    path = file_of(one.entrypoint)[0] if above else ""
    if above and not (folder / path).is_file():
        for there in above:
            if (there / path).is_file():
                file = folder.relative_to(there) / one.where.rpartition(":")[0]
                hint = f"there is one from {str(there)!r} on: go there, with --prefect-file {file}"
                return replace(one, cause=f"{one.cause}; {hint}")
    return one


def _up_to_repository(folder: Path) -> list[Path]:
    """The folders above one that are of the same repository of git; none if it is in none."""
    for number, one in enumerate((folder, *folder.parents)):
        if (one / ".git").exists():
            return list(folder.parents[:number])
    return []


NO_ENTRYPOINT = "it has no entrypoint, such as flows.py:main"
"""The cause for which Prefect would ask a person."""


def base_of(one: Declared, project: Path) -> Path:
    """The folder in which a run of a deployment begins here.

    Its pull steps name a folder of another machine, or bring a repository: both are the project. What
    they say of a folder in it holds, if the file of the flow is there.
    """
    path = one.entrypoint.rpartition(":")[0]
    named = [project]
    for step in one.pull:
        for arguments in step.values():
            folder = arguments.get("directory") if isinstance(arguments, dict) else None
            parts = PurePath(str(folder)).parts if folder else ()
            named += [project.joinpath(*parts[start:]) for start in range(1, len(parts))]
            named += [project.joinpath(*parts)] if parts and not parts[0].startswith("/") else []
    if path.endswith(".py"):
        return next((folder for folder in named if (folder / path).is_file()), project)
    return project


def unsimulated(steps: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The pull steps that do more than to bring the code or to go where it is."""
    for step in steps:
        for name in step:
            last = name.rpartition(".")[2]
            if last not in ("git_clone", "set_working_directory") and not last.startswith("pull_"):
                yield name
