"""Lets a run that applies `nest_asyncio` run its event loops within one another, and only that run.

Python 3.11 to 3.13, nest_asyncio 1.6 and nest_asyncio2 1.7. What is patched, and why:

- `apply`, once somebody has imported it: it gives asyncio other functions and classes, and the class of
  a loop other methods, of the whole process and for good. A virtual loop would no longer give up its
  hold, every other run would have what one has applied, and so would the tests that come after it.
  In a run it is noted now, and `VirtualEventLoop` does the rest.
- `asyncio.run`, since then: in such a run it is to run also where a loop is running.

What is applied outside of runs, as by a module that a test imports, holds for the process, as it would
without a simulation. `tests/process/test_nesting.py` fails without them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from inspect import signature
from typing import Any

from simulator.clock import counted
from simulator.patches.imports import once_imported
from simulator.patches.replacing import replacing, wherever_imported
from simulator.process import Own, Process

MODULES = ("nest_asyncio", "nest_asyncio2")


class _Nesting:
    """Whether a process nests its loops, and those that it has for good, one for each thread."""

    def __init__(self, process: Process) -> None:
        self.applied = False
        self.loops: set[asyncio.AbstractEventLoop] = set()
        process.at_exit.append(self.close)

    def close(self) -> None:
        """Close what nobody else does."""
        for loop in self.loops:
            if not loop.is_running():
                loop.close()


_nesting = Own(_Nesting)


@contextmanager
def installed() -> Iterator[None]:
    """Keep apart which runs have applied it, for one simulation."""
    with ExitStack() as stack:
        for module in MODULES:
            stack.enter_context(once_imported(module, partial(_own, module)))
        yield


@contextmanager
def _own(name: str) -> Iterator[None]:
    module = sys.modules[name]
    replaced = wherever_imported(module, {"apply": _apply(module.apply)})
    before = asyncio.run
    ours = asyncio.run = _run(before)
    try:
        with replacing(replaced):
            yield
    finally:
        if asyncio.run is ours:  # else it has been applied outside of runs meanwhile
            asyncio.run = before


def is_applied() -> bool:
    """Whether the calling code's process nests its loops."""
    if hasattr(asyncio, "_nest_patched"):  # outside of runs
        return True
    own = _nesting.current()
    return own is not None and own.applied


def _apply(real: Callable[..., None]) -> Callable[..., None]:
    def apply(loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
        own = _nesting.current()
        if own is None:
            real(loop, **options)
            return
        signature(real).bind(
            loop, **options
        )  # of nest_asyncio2; what they say is of other loops than ours
        own.applied = True
        loop = loop or asyncio.get_event_loop()
        if not isinstance(loop, asyncio.BaseEventLoop):
            raise ValueError(f"Can't patch loop of type {type(loop)}")
        own.loops.add(loop)

    return apply


def _run(before: Callable[..., Any]) -> Callable[..., Any]:
    def run(main: Any, **options: Any) -> Any:
        if counted() is None:
            return before(main, **options)
        own = _nesting.current()
        if own is None or not is_applied():
            return asyncio.runners.run(main, **options)
        loop = asyncio.get_event_loop()
        own.loops.add(loop)
        loop.set_debug(bool(options.get("debug")))
        task = asyncio.ensure_future(main, loop=loop)
        try:
            return loop.run_until_complete(task)
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)

    return run
