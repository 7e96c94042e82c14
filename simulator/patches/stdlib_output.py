"""Gives each simulated process its own `print`, `sys.stdout`, `sys.stderr`, `sys.stdin`, `sys.argv`,
`sys.path`.

Python 3.11 to 3.13, Prefect 3.8 and 3.9. What is patched, and why:

- the class of the module `sys`: `contextlib.redirect_stdout` and whoever else assigns to
  `sys.stdout` does so for all processes. A property of the module's class sends each to its own. So
  with `sys.path`, on which Prefect puts the folder of each flow that it loads.
- the streams themselves: who closes or detaches one, or has a wrapper of its buffer collected, does so
  for its own process.
- what `sys` holds as `stdout` and `stderr`: the built-in `print` looks there, past any property.
- `builtins.print`, and Prefect's `patch_print` in its engines: for `log_prints` Prefect puts its own
  function in the place of `print` and afterwards what it found there, which may be the one of
  another run. Lines are lost.

`tests/process/test_apart.py` fails without each of them.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import prefect.flow_engine as prefect_flow_engine
import prefect.logging.loggers as prefect_loggers
import prefect.task_engine as prefect_task_engine

from simulator.patches.replacing import replacing
from simulator.process import NAMES_OF_SYS, output


@contextmanager
def installed() -> Iterator[None]:
    """Keep output apart, for one simulation."""
    print_ = builtins.print

    def print_of_process(*args: Any, **kwargs: Any) -> None:
        own = output.current()
        (print_ if own is None or own.print is None else own.print)(*args, **kwargs)

    replaced: list[tuple[Any, str, Any]] = [
        (builtins, "print", print_of_process),
        (prefect_flow_engine, "patch_print", _patch_print),
        (prefect_task_engine, "patch_print", _patch_print),
    ]
    with _own_sys(), replacing(replaced):
        yield


@contextmanager
def _patch_print() -> Iterator[None]:
    own = output.current()
    if own is None:
        with _real_patch_print():
            yield
        return
    before, own.print = own.print, prefect_loggers.print_as_log
    try:
        yield
    finally:
        own.print = before


_real_patch_print = prefect_loggers.patch_print


@contextmanager
def _own_sys() -> Iterator[None]:
    shared: dict[str, Any] = {name: vars(sys)[name] for name in NAMES_OF_SYS}
    properties = {name: _property(name, shared) for name in NAMES_OF_SYS}
    before = type(sys)
    own = {"__new__": _module, "__reduce__": _by_name, **properties}
    sys.__class__ = type("sys", (before,), own)
    vars(sys)["stdout"] = _Stream("stdout")
    vars(sys)["stderr"] = _Stream("stderr")
    try:
        yield
    finally:
        sys.__class__ = before
        vars(sys).update(shared)


def _module(_: type, name: str, doc: str | None = None) -> types.ModuleType:
    """What importlib is to get, which makes each module by `type(sys)(name)`: one without properties."""
    return types.ModuleType(name, doc)


def _by_name(module: types.ModuleType) -> tuple[Any, ...]:
    """As cloudpickle has modules: it goes by their exact class, which is another one now."""
    return importlib.import_module, (module.__name__,)


def _property(name: str, shared: dict[str, Any]) -> property:
    def get(_: types.ModuleType) -> Any:
        own = output.current()
        if own is None:
            return shared[name]
        if name not in own.of_sys:
            own.of_sys[name] = _OfProcess(lambda: shared[name])
        return own.of_sys[name]

    def put(_: types.ModuleType, value: Any) -> None:
        own = output.current()
        (shared if own is None else own.of_sys)[name] = value
        if own is None and not isinstance(vars(sys)[name], _Stream):
            vars(sys)[name] = value

    return property(get, put)


class _OfProcess:
    """A stream of a process: the one that all have, but closed for this process alone."""

    def __init__(self, shared: Callable[[], Any]) -> None:
        self._of_all = shared
        self._closed = False

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._of_all())  # for who asks whether it is an `io.TextIOWrapper`

    def __getattr__(self, name: str) -> Any:
        return getattr(self._open(), name)

    def _open(self) -> Any:
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        return self._of_all()

    @cached_property
    def buffer(self) -> Any:
        return _OfProcess(lambda: self._open().buffer)

    def detach(self) -> Any:
        self.flush()
        found, self._closed = _OfProcess(lambda: self._of_all().buffer), True
        return found

    def flush(self) -> None:
        self._open().flush()

    @property
    def closed(self) -> bool:
        return self._closed or self._of_all().closed

    def close(self) -> None:
        if not self.closed:
            self.flush()
        self._closed = True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._open())

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Stream:
    """What C code finds as `sys.stdout`: the stream of the current process."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self._name), name)

    def write(self, text: str) -> Any:
        return getattr(sys, self._name).write(text)

    def flush(self) -> None:
        getattr(sys, self._name).flush()
