"""Where a function is found that a stub stands in for: in which module, and by which names in it."""

from __future__ import annotations

import importlib.util
import types
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from simulator import arguments
from simulator.errors import SimulationError
from simulator.places import is_users_file


@dataclass(frozen=True)
class Target:
    """A function by its names in a module; `users` if the module is one of the user's project."""

    module: str
    path: tuple[str, ...]
    users: bool

    @property
    def name(self) -> str:
        return ".".join([self.module, *self.path])


def target_of(given: Any) -> Target:
    """The target that is meant by a dotted name, or by a function.

    No module is imported for it. Raises SimulationError, one line, for what cannot be found by a name.
    """
    if not isinstance(given, str):
        module, name = getattr(given, "__module__", None), getattr(given, "__qualname__", None)
        if not (callable(given) and module and name) or "<" in name:
            raise arguments.refused(
                f"stub: {arguments.shown(given)} must be a flow, a task, or a function at the top level"
                " of a module or of a class in it; or the dotted name of one"
            )
        if isinstance(getattr(given, "__self__", None), type | types.ModuleType | None):
            given = f"{module}.{name}"
        else:
            raise arguments.refused(
                f"stub: {arguments.shown(given)} is a method of one object: give {name!r} of its class"
            )
    parts = given.split(".")
    specs: list[ModuleSpec] = []
    for depth in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:depth]), specs[-1] if specs else None)
        if spec is None:
            break
        specs.append(spec)
    if not specs:
        raise arguments.refused(f"stub: no module {parts[0]!r}, asked for by {given!r}")
    depth = len(specs)
    if depth == len(parts):
        raise arguments.refused(f"stub: {given!r} is a module: name a function in it")
    origin = specs[-1].origin
    users = origin is not None and is_users_file(origin)
    return Target(".".join(parts[:depth]), tuple(parts[depth:]), users)


def _spec(name: str, parent: ModuleSpec | None) -> ModuleSpec | None:
    if parent is not None and parent.submodule_search_locations is None:
        return None
    places: Sequence[str] | None = parent.submodule_search_locations if parent else None
    found = PathFinder.find_spec(name, places)
    if found is not None:
        return found
    try:  # built in, or found in a way of its own
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


def missing(target: Target, owner: Any, part: str) -> SimulationError:
    """The error about a name that is not in `owner`, with the nearest one that is."""
    return arguments.unknown(f"function {target.name!r} to stub: there is no", part, dir(owner))
