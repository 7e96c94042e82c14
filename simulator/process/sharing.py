"""What it makes wrong that simulated processes share their modules, and where: told as caveats."""

from __future__ import annotations

import ast
import asyncio
import operator
import queue
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from functools import cache
from multiprocessing.pool import ThreadPool
from typing import Any
from weakref import WeakKeyDictionary

from prefect import Flow, Task

from simulator import caveats
from simulator.places import is_users_file
from simulator.process.made_at_import import constants, defaults, functions
from simulator.process.processes import Process
from simulator.process.rebinding import remember_global

KIND = "shared modules"


def tell_defaults(flow: Flow[..., Any]) -> None:
    """Tell which parameters of a flow, and of the steps and functions that it calls, have a default
    that each process would make when it imports them.
    """
    for step, code in _steps(flow):
        for name, line, expression in defaults(code.co_filename, code.co_firstlineno):
            caveats.tell(
                KIND,
                f"the default of {name!r} of {_named(step)!r}, {expression}, was made when its module"
                " was imported, once for all runs; a process makes its own: see modules='fresh'",
                where=f"{code.co_filename}:{line}",
                run="",
            )


def tell_constants(flow: Flow[..., Any]) -> None:
    """Tell which globals a flow uses, and the steps and functions that it calls, that each process
    would make when it imports their module.
    """
    for step, code in _steps(flow):
        made = constants(code.co_filename)
        for name in code.co_names:
            if name in made:
                _, line, expression = made[name]
                caveats.tell(
                    KIND,
                    f"{_named(step)!r} uses {name!r}, {expression}, which was made when its module"
                    " was imported, once for all runs; a process makes its own: see modules='fresh'",
                    where=f"{code.co_filename}:{line}",
                    run="",
                )


def tell_locks(flow: Flow[..., Any]) -> None:
    """Tell which locks, executors and the like at the top level of a module a flow uses, and the steps
    that it calls: threads of one process share them, but runs do not.
    """
    for step, code in _steps(flow):
        for name in code.co_names:
            value = _function(step).__globals__.get(name)
            if isinstance(value, _OF_ONE_PROCESS):
                caveats.tell(
                    KIND,
                    f"{_named(step)!r} uses {name!r}, a global {type(value).__name__}: all runs share"
                    " it, and a process has its own: see modules='fresh'",
                    where=f"{code.co_filename}:{code.co_firstlineno}",
                    run="",
                )


_OF_ONE_PROCESS = (
    type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Semaphore,
    threading.Event, threading.Barrier, queue.Queue, queue.SimpleQueue, Executor, ThreadPool,
    asyncio.Lock, asyncio.Condition, asyncio.Semaphore, asyncio.Event, asyncio.Queue,
)  # fmt: skip
"""What threads or tasks of one process wait for each other with."""


Step = Flow[..., Any] | Task[..., Any] | types.FunctionType


def _steps(flow: Flow[..., Any]) -> Iterator[tuple[Step, types.CodeType]]:
    """A flow, and the steps and functions of the project that it calls by their names, with the code
    of each.
    """
    waiting: list[Step] = [flow]
    seen: set[int] = set()
    while waiting:
        step = waiting.pop(0)
        function = _function(step)
        code = getattr(function, "__code__", None)
        if id(step) in seen or code is None or not is_users_file(code.co_filename):
            continue
        seen.add(id(step))
        yield step, code
        called = [function.__globals__.get(name) for name in code.co_names]
        waiting += [one for one in called if isinstance(one, Flow | Task | types.FunctionType)]


def _function(step: Step) -> Any:
    return step if isinstance(step, types.FunctionType) else step.fn


def _named(step: Step) -> str:
    return step.__name__ if isinstance(step, types.FunctionType) else step.name


# -- globals that a run rebinds --------------------------------------------------------------------


Held = dict[tuple[types.ModuleType, str], Any]


@cache
def _rebinding(filename: str) -> dict[str, dict[str, int]]:
    """The globals that functions of a file rebind: each with these functions, and the lines."""
    found: dict[str, dict[str, int]] = {}
    for function in functions(filename):
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                for name in node.names:
                    found.setdefault(name, {})[function.name] = node.lineno
    return found


def _held() -> Held:
    """The globals of the project that some function rebinds, and how full its caches are."""
    held: Held = {}
    for module in _project():
        names = _rebinding(str(module.__file__))
        for name, value in list(vars(module).items()):
            if name in names:
                held[module, name] = value
            elif (
                type(value).__name__ == "_lru_cache_wrapper" and value.__module__ == module.__name__
            ):
                held[module, name] = value.cache_info().currsize
    return held


def _project() -> list[types.ModuleType]:
    """The modules of the project, looked for only if a module has come, gone or been exchanged."""
    global _looked_at
    there = list(sys.modules.values())
    before, found = _looked_at
    if len(there) != len(before) or not all(map(operator.is_, there, before)):
        found = [
            module
            for module in there
            if type(module) is types.ModuleType
            and is_users_file(str(getattr(module, "__file__", None) or "<"))
        ]
        _looked_at = there, found
    return found


_looked_at: tuple[list[Any], list[types.ModuleType]] = ([], [])
"""The modules that there were when all were looked at, and which of them are the project's."""


_before: WeakKeyDictionary[Process, Held] = WeakKeyDictionary()
"""Of each process that goes on, what its end is compared with."""


def watch(process: Process, flow: Flow[..., Any], run: str | None = None) -> None:
    """Tell at the end of a process, which is about to begin, what it has rebound for all.

    Of several that go on at once it is the first to end that may have done so, by what it calls.
    """
    _before[process] = _held()

    def tell() -> None:
        before = _before.pop(process)
        others = [held for one, held in _before.items() if one.clock is process.clock]
        for (module, name), value in _held().items():
            was = before.get((module, name), value)
            if value is was or (isinstance(value, int) and value == was):
                continue
            where = str(module.__file__)
            by = _rebinding(where).get(name)
            if others and not _may_call(flow, by or {name: 0}):
                continue
            for held in others:
                held[module, name] = value
            if by:
                function = flow.fn.__name__ if flow.fn.__name__ in by else next(iter(by))
                remember_global(module, name)
                what = f"{function!r} has rebound the global {name!r} of {module.__name__!r}"
                where = f"{where}:{by[function]}"
            else:
                what = f"the cache of {name!r} of {module.__name__!r} has been filled"
            caveats.tell(
                KIND,
                f"{what} in a run of {flow.name!r}, and the next runs see it; a process begins with"
                " its own: see modules='fresh'",
                where=where,
                run=run,
            )

    process.releases.append(tell)


def _may_call(flow: Flow[..., Any], names: Mapping[str, int]) -> bool:
    """Whether a flow is, or calls, one of these functions."""
    return any(
        _function(step).__name__ in names or not names.keys().isdisjoint(code.co_names)
        for step, code in _steps(flow)
    )
