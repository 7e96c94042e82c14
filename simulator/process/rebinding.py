"""What a test has rebound in the modules of the project: mocks, above all.

To tell what has been rebound from what an import makes at another time, modules are remembered as
they were before any test ran.
"""

from __future__ import annotations

import sys
import types
from typing import Any
from unittest.mock import NonCallableMock

from simulator.places import is_users_file

_ABSENT = object()
_KEPT_BY_IMPORT = {
    "__builtins__", "__cached__", "__doc__", "__file__", "__loader__", "__name__", "__package__",
    "__path__", "__spec__",
}  # fmt: skip

_remembered: dict[str, tuple[types.ModuleType, dict[str, Any], dict[str, dict[Any, Any]]]] = {}


def remember_modules() -> None:
    """Remember the modules of the project that have been imported and are not remembered yet."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        known = _remembered.get(name, (None,))[0] is module
        if known or type(module) is not types.ModuleType or not isinstance(file, str):
            continue
        if is_users_file(file):
            held = dict(vars(module))
            _remembered[name] = (module, held, _insides(module, held))


def remember_global(module: types.ModuleType, name: str) -> None:
    """A run has rebound it: that was no test."""
    remembered, held, _ = _remembered.get(module.__name__, (None, {}, {}))
    if remembered is module:
        held[name] = vars(module)[name]


def _insides(module: types.ModuleType, held: dict[str, Any]) -> dict[str, dict[Any, Any]]:
    """What classes, objects and dictionaries of a module hold, one step deep."""
    found = {}
    for name, value in held.items():
        inside = _inside(module, value)
        if inside is not None and not name.startswith("__"):
            found[name] = dict(inside)
    return found


def _inside(module: types.ModuleType, value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if isinstance(value, type):
        return vars(value) if value.__module__ == module.__name__ else None
    if isinstance(value, types.ModuleType | types.FunctionType | NonCallableMock):
        return None
    return getattr(value, "__dict__", None)


def rebind(test: types.ModuleType, fresh: types.ModuleType) -> None:
    """Rebind in `fresh` what a test has rebound in its own module of the same name."""
    module, before, insides = _remembered.get(test.__name__, (None, {}, {}))
    if module is not test:
        before, insides = {}, {}
    for name, value in list(vars(test).items()):
        submodule = f"{test.__name__}.{name}"
        if name in _KEPT_BY_IMPORT or getattr(value, "__name__", None) == submodule:
            continue  # made by an import, and so it is for the process
        was = before.get(name, _ABSENT if module is test else value)
        if value is not was or isinstance(value, NonCallableMock):
            setattr(fresh, name, value)
        elif name in insides:
            _rebind_inside(insides[name], _inside(test, value), vars(fresh).get(name))
    for name in before.keys() - vars(test).keys():
        vars(fresh).pop(name, None)


def _rebind_inside(before: dict[Any, Any], now: Any, fresh: Any) -> None:
    """The same for a class, an object or a dictionary of a module."""
    changed = {
        key: value
        for key, value in dict(now or {}).items()
        if before.get(key, _ABSENT) is not value
    }
    for key, value in changed.items():
        if isinstance(fresh, dict):
            fresh[key] = value
        elif fresh is not None and (
            _is_mock_of(value, before.get(key, _ABSENT)) or (key in before and _is_set(fresh, key))
        ):
            setattr(fresh, key, value)


def _is_set(owner: Any, name: str) -> bool:
    """Whether `name` is an attribute of the project's own, and not what a library keeps in an object."""
    kind = owner if isinstance(owner, type) else type(owner)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    plain = kind is types.SimpleNamespace or (isinstance(file, str) and is_users_file(file))
    return plain and not name.startswith("__")


def _is_mock_of(value: Any, before: Any) -> bool:
    """Whether a test has put `value` there, and not the object itself in the course of its life."""
    return callable(value) or isinstance(value, NonCallableMock) or callable(before)
