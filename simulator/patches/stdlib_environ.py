"""Gives each simulated process an environment of its own, and its children theirs.

Python 3.11 to 3.13. What is patched, and why:

- the mapping inside `os.environ` and `os.environb`: both objects are held by name everywhere, so
  what they show must change, not they. It is a plain dict for the whole operating system's process.
- `os.putenv`, `os.unsetenv`: they change what C libraries and children of this process see.
- `subprocess.Popen`: without `env` a child gets this process's own environment; and from a thread
  that serves several processes, such as Prefect's loop for async calls, its working directory.
- `os.system`: it starts a child by way of C, where no environment can be given.
- `time.tzset`: C's local time is that of the whole process. What a run asks for with it is told.
- `os.execv` and its kin: they would put another program in the place of the whole simulation.

`tests/process/test_apart.py` fails without each of them.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from simulator.cfunctions import calling, copied
from simulator.errors import UnsupportedOperation
from simulator.patches.replacing import replacing
from simulator.process import (
    VariablesOfProcess,
    current_process,
    directory_for_children,
    environment,
    tell_zone,
)


@contextmanager
def installed() -> Iterator[None]:
    """Keep environments apart, for one simulation."""
    shared = vars(os.environ)["_data"]
    variables = VariablesOfProcess(shared)
    replaced: list[tuple[Any, str, Any]] = [
        (os.environ, "_data", variables),
        (os.environb, "_data", variables),
        (subprocess.Popen, "__init__", _popen(subprocess.Popen.__init__)),
    ]
    led: list[tuple[Any, Callable[..., Any]]] = [
        (os.putenv, _putenv(_real.putenv)),
        (os.unsetenv, _unsetenv(_real.unsetenv)),
        (os.system, _system(_real.system)),
        (time.tzset, _tzset(_real.tzset)),
        (os.execv, _refused("execv", _real.execv)),
        (os.execve, _refused("execve", _real.execve)),
    ]
    with calling(led), replacing(replaced):  # the functions wherever they are bound
        yield


_real = SimpleNamespace(
    **{
        function.__name__: copied(function)
        for function in (os.putenv, os.unsetenv, os.system, time.tzset, os.execv, os.execve)
    }
)
"""What these functions do outside of processes."""


def _putenv(putenv: Callable[..., None]) -> Callable[..., None]:
    def putenv_(name: Any, value: Any, /) -> None:
        own = environment.current()
        if own is None:
            putenv(name, value)
        else:
            own.putenv(os.fsencode(name), os.fsencode(value))

    return putenv_


def _unsetenv(unsetenv: Callable[..., None]) -> Callable[..., None]:
    def unsetenv_(name: Any, /) -> None:
        own = environment.current()
        if own is None:
            unsetenv(name)
        else:
            own.inherited.pop(os.fsencode(name), None)

    return unsetenv_


_ENV = 10
_CWD = 9
"""The places of `env` and `cwd` among the arguments of `Popen`, which few give by place."""


def _popen(init: Callable[..., None]) -> Callable[..., None]:
    def init_(self: Any, *args: Any, **kwargs: Any) -> None:
        own = environment.current()
        if own is not None and len(args) <= _CWD:
            if len(args) <= _ENV and kwargs.get("env") is None:
                kwargs["env"] = dict(own.inherited)
            if kwargs.get("cwd") is None:
                kwargs["cwd"] = directory_for_children()
        init(self, *args, **kwargs)

    return init_


def _system(system: Callable[[str], int]) -> Callable[[str], int]:
    def system_(command: Any) -> int:
        if current_process() is None:
            return system(command)
        code = subprocess.call(["/bin/sh", "-c", command])
        return -code if code < 0 else code << 8

    return system_


def _tzset(tzset: Callable[[], None]) -> Callable[[], None]:
    def tzset_() -> None:
        process = current_process()
        if process is None:
            tzset()
        else:
            tell_zone(process)

    return tzset_


def _refused(name: str, exec_: Callable[..., Any]) -> Callable[..., Any]:
    here = os.getpid()

    def refused(*args: Any, **kwargs: Any) -> Any:
        if current_process() is None or os.getpid() != here:
            return exec_(*args, **kwargs)
        raise UnsupportedOperation(
            f"os.{name} would put another program in the place of the whole simulation:"
            " use subprocess.run instead"
        )

    return refused
