"""Attributes of foreign modules and classes, set for a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def replacing(replaced: list[tuple[Any, str, Any]]) -> Iterator[None]:
    """Set attributes `(owner, name, value)`, and put back at the end what was there before."""
    before = [(owner, name, vars(owner).get(name, _ABSENT)) for owner, name, _ in replaced]
    try:
        for owner, name, value in replaced:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(before):
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


_ABSENT = object()


def wherever_imported(home: ModuleType, ours: Mapping[str, Any]) -> list[tuple[Any, str, Any]]:
    """For `replacing`: what is ours in the place of names of the module `home`, there and in modules
    that have imported one by its name, or hold one by any name beside `home`. The simulator's own keep
    what they have.
    """
    own = home.__name__.rpartition(".")[2]
    real = {name: vars(home)[name] for name in ours}
    new = {id(real[name]): ours[name] for name in ours}
    found: list[tuple[Any, str, Any]] = []
    for name, module in list(sys.modules.items()):
        held = getattr(module, "__dict__", {})
        if name.startswith("simulator."):
            continue
        if module is home or held.get(own) is home:
            found += [(module, one, new[id(it)]) for one, it in held.items() if id(it) in new]
        else:
            names = ours.keys() & held.keys()
            found += [(module, one, ours[one]) for one in names if held[one] is real[one]]
    return found
