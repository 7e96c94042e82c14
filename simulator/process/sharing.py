"""What it makes wrong that simulated processes share their modules, and where: told as caveats."""

from __future__ import annotations

import ast
import asyncio
import operator
import queue
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from prefect import Flow, Task

from simulator import caveats
from simulator.places import is_users_file
from simulator.process.processes import Process
from simulator.process.rebinding import remember_global

KIND = "shared modules"

DIFFERENT_EACH_TIME = {
    "environ", "expanduser", "getcwd", "getenv", "getpid", "gethostname", "monotonic", "now",
    "perf_counter", "random", "randint", "today", "time", "time_ns", "utcnow", "uuid1", "uuid4",
    "uuid7", "choice", "strftime", "cwd", "home", "token_hex", "urandom",
}  # fmt: skip
"""Names by which an expression tells that its value depends on when or where it is made."""


def tell_defaults(flow: Flow[..., Any]) -> None:
    """Tell which parameters of a flow, and of the steps that it calls, have a default that each
    process would make when it imports them.
    """
    for step, code in _steps(flow):
        for name, line, expression in _made_at_import(code.co_filename, code.co_firstlineno):
            caveats.tell(
                KIND,
                f"the default of {name!r} of {step.name!r}, {expression}, was made when its module was"
                " imported, once for all runs; a process makes its own: see modules='fresh'",
                where=f"{code.co_filename}:{line}",
                run="",
            )


def tell_locks(flow: Flow[..., Any]) -> None:
    """Tell which locks, executors and the like at the top level of a module a flow uses, and the steps
    that it calls: threads of one process share them, but runs do not.
    """
    for step, code in _steps(flow):
        for name in code.co_names:
            value = step.fn.__globals__.get(name)
            if isinstance(value, _OF_ONE_PROCESS):
                caveats.tell(
                    KIND,
                    f"{step.name!r} uses {name!r}, a global {type(value).__name__}: all runs share it,"
                    " and a process has its own: see modules='fresh'",
                    where=f"{code.co_filename}:{code.co_firstlineno}",
                    run="",
                )


_OF_ONE_PROCESS = (
    type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Semaphore,
    threading.Event, threading.Barrier, queue.Queue, queue.SimpleQueue, Executor, ThreadPool,
    asyncio.Lock, asyncio.Condition, asyncio.Semaphore, asyncio.Event, asyncio.Queue,
)  # fmt: skip
"""What threads or tasks of one process wait for each other with."""


def _steps(
    flow: Flow[..., Any],
) -> Iterator[tuple[Flow[..., Any] | Task[..., Any], types.CodeType]]:
    """A flow and the steps that it calls, with the code of each."""
    known = getattr(flow.fn, "__globals__", {})
    called = [
        known.get(name) for name in getattr(getattr(flow.fn, "__code__", None), "co_names", ())
    ]
    for step in [
        flow,
        *(one for one in called if isinstance(one, Flow | Task) and one is not flow),
    ]:
        code = getattr(step.fn, "__code__", None)
        if code is not None and is_users_file(code.co_filename):
            yield step, code


def _made_at_import(filename: str, first_line: int) -> Iterator[tuple[str, int, str]]:
    for function in _functions(filename):
        lines = {function.lineno, *(one.lineno for one in function.decorator_list)}
        if first_line not in lines:
            continue
        given = function.args
        named = [*given.posonlyargs, *given.args]
        pairs = list(zip(named[len(named) - len(given.defaults) :], given.defaults, strict=True))
        pairs += [
            (one, default)
            for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
            if default is not None
        ]
        for parameter, default in pairs:
            if _differs(default):
                yield parameter.arg, default.lineno, ast.unparse(default)


def _differs(expression: ast.expr) -> bool:
    names = {
        getattr(node, "id", None) or getattr(node, "attr", None)
        for node in ast.walk(expression)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    made = any(isinstance(node, ast.Call | ast.Subscript) for node in ast.walk(expression))
    return made and bool(names & DIFFERENT_EACH_TIME)


@cache
def _functions(filename: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(_tree(filename))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@cache
def _tree(filename: str) -> ast.Module:
    try:
        return ast.parse(Path(filename).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


# -- globals that a run rebinds --------------------------------------------------------------------


@cache
def _rebinding(filename: str) -> dict[str, dict[str, int]]:
    """The globals that functions of a file rebind: each with these functions, and the lines."""
    found: dict[str, dict[str, int]] = {}
    for function in _functions(filename):
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                for name in node.names:
                    found.setdefault(name, {})[function.name] = node.lineno
    return found


def _held() -> dict[tuple[types.ModuleType, str], Any]:
    """The globals of the project that some function rebinds, and how full its caches are."""
    held: dict[tuple[types.ModuleType, str], Any] = {}
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


def watch(process: Process, flow: Flow[..., Any], run: str | None = None) -> None:
    """Tell at the end of a process, which is about to begin, what it has rebound for all."""
    before = _held()

    def tell() -> None:
        for (module, name), value in _held().items():
            was = before.get((module, name), value)
            if value is was or (isinstance(value, int) and value == was):
                continue
            where = str(module.__file__)
            if name in _rebinding(where):
                by = _rebinding(where)[name]
                function = flow.fn.__name__ if flow.fn.__name__ in by else next(iter(by))
                line = by[function]
                remember_global(module, name)
                what = f"{function!r} has rebound the global {name!r} of {module.__name__!r}"
                where = f"{where}:{line}"
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
