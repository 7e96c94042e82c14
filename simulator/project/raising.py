"""Errors that stubs of a simulation.toml raise, by name: those of the process that calls."""

from __future__ import annotations

import builtins
import functools
import importlib
from collections.abc import Mapping
from typing import Any, NoReturn

from simulator import arguments
from simulator.errors import SimulationError
from simulator.stubs import target_of


def answers(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a stub is given for a table of a simulation.toml: `raises` becomes what raises it, alone or
    in an entry of `each` or `attempts`.

    Raises SimulationError for a name of no exception, with the nearest; of one in a module of the
    project itself that is known only once a process imports it.
    """
    made = {key: value for key, value in given.items() if key != "raises"}
    if "raises" in given:
        made["returns"] = _raising(given["raises"])
    for key in made.keys() & {"each", "attempts"}:
        made[key] = [_raising(one["raises"]) if _is_raised(one) else one for one in made[key]]
    return made


def _is_raised(entry: Any) -> bool:
    return isinstance(entry, Mapping) and set(entry) == {"raises"}


def _raising(given: Any) -> Any:
    """A function that raises the exception of a name, or of a name and arguments."""
    name, values = given, []
    if isinstance(given, Mapping) and set(given) <= {"type", "args"}:
        name, values = given.get("type"), given.get("args", [])
    if not (isinstance(name, str) and name and isinstance(values, list)):
        raise SimulationError(
            f"raises={arguments.shown(given)} must be the name of an exception, or"
            ' { type = "ValueError", args = ["bad"] }'
        )
    if "." not in name or not target_of(name).users:
        _exception(name)
    return functools.partial(_raise, name, values)


def _raise(name: str, values: list[Any], /, *_: Any, **__: Any) -> NoReturn:
    raise _exception(name)(*values)


def _exception(name: str) -> Any:
    module, _, last = name.rpartition(".")
    try:
        there = vars(importlib.import_module(module) if module else builtins)
    except ImportError:
        raise SimulationError(f"raises={name!r}: there is no module {module!r}") from None
    kinds = {key for key, one in there.items() if _is_exception(one)}
    if last not in kinds:
        raise arguments.unknown(f"exception of {module or 'Python'}", last, kinds)
    return there[last]


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
