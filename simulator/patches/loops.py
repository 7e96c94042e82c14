"""Keeps flows off event loops that no virtual clock reaches, and puts asyncio's own on one.

What is patched, and why (Python 3.11 to 3.13, uvloop 0.23, gevent 26.9, trio and eventlet by their
public names):

- `SelectorEventLoop`, made by hand: it would wait in real time, and hold the clock meanwhile. The class
  itself is made to be another one, wherever it was bound.
- `uvloop`, `trio`, `gevent`, `eventlet`: they wait in C, or have a clock of their own. Refused in flows;
  and so is it to patch everything for them, which would be for the whole process and for good (see
  `simulator.green`).
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import selector_events
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any

from simulator.clock import VirtualClock, VirtualEventLoop, counted
from simulator.errors import UnsupportedOperation
from simulator.green import PATCHING
from simulator.patches.imports import once_imported
from simulator.patches.nesting import is_applied
from simulator.patches.replacing import replacing, wherever_imported

FOREIGN = {
    "uvloop": ("Loop", "__init__"),
    "trio": ("run",),
    "gevent.hub": ("Hub", "__init__"),
    "eventlet.hubs.hub": ("BaseHub", "__init__"),
    **{module: (patches,) for module, _, patches in PATCHING.values()},
}
"""What begins each of these, by the module that has it."""


@contextmanager
def followed(clock: VirtualClock) -> Iterator[None]:
    """Let the loops that flows make by hand follow `clock`, and refuse those that cannot."""
    with ExitStack() as stack:
        stack.enter_context(replacing([(_Loop, "__init__", _virtual(clock, _Loop.__init__))]))
        for module, path in FOREIGN.items():
            stack.enter_context(once_imported(module, partial(_refused, module, path)))
        yield


_Loop: Any = selector_events.BaseSelectorEventLoop


def _virtual(clock: VirtualClock, real: Callable[..., None]) -> Callable[..., None]:
    def __init__(loop: Any, selector: Any = None) -> None:  # noqa: N807  in its place
        if counted() is None or isinstance(loop, VirtualEventLoop):
            real(loop, selector)
            return
        if selector is not None:
            selector.close()
        virtual: Any = loop
        virtual.__class__ = _following(virtual.__class__)
        VirtualEventLoop.__init__(virtual, clock)
        virtual.attach(counted, is_applied)

    return __init__


@cache
def _following(kind: type) -> type:
    """The class of loops that are virtual, and else as those of `kind`, also of a user's own."""
    if kind is asyncio.SelectorEventLoop:
        return VirtualEventLoop
    return type(kind.__name__, (kind, VirtualEventLoop), {})


@contextmanager
def _refused(module: str, path: tuple[str, ...]) -> Iterator[None]:
    owner: Any = sys.modules[module]
    for name in path[:-1]:
        owner = getattr(owner, name)
    real = getattr(owner, path[-1])

    def begin(*args: Any, **kwargs: Any) -> Any:
        if counted() is not None:
            raise UnsupportedOperation(
                f"{module.partition('.')[0]} waits where no virtual clock reaches it: use asyncio's"
                " own loop in a simulation, as `asyncio.run` does"
            )
        return real(*args, **kwargs)

    by_name = owner is sys.modules[module]
    with replacing(
        wherever_imported(owner, {path[-1]: begin}) if by_name else [(owner, path[-1], begin)]
    ):
        yield
