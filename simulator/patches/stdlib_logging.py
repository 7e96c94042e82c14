"""Lets each simulated process set up `logging` for itself.

Python 3.11 to 3.13. What is patched, and why:

- the attributes of `logging.Logger` that make up its configuration, and what `logging.disable`
  sets: loggers are shared by the whole process. A process begins with what the others have (the
  API handler, pytest's), and what it changes is its own.
- `logging.setLogRecordFactory`, `getLogRecordFactory` and what both go by: it is one for all.
- `logging.config._clearExistingHandlers`: `dictConfig` closes every handler there is.

`tests/process/test_apart.py` fails without each of them.
"""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simulator.patches.replacing import replacing
from simulator.process import logging_setup


class _Own:
    """An attribute of which each process has its own value. `copied` makes it of the shared one."""

    def __init__(self, name: str, copied: Callable[[Any], Any] | None = None) -> None:
        self._name = name
        self._copied = copied

    def __get__(self, obj: Any, owner: Any = None) -> Any:
        if obj is None:
            return self
        own = logging_setup.current()
        if own is None:
            return self._shared(obj)
        key = (id(obj), self._name)
        if key not in own:
            if self._copied is None:
                return self._shared(obj)
            own[key] = self._copied(self._shared(obj))
        return own[key]

    def _shared(self, obj: Any) -> Any:
        try:
            return vars(obj)[self._name]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, obj: Any, value: Any) -> None:
        own = logging_setup.current()
        # One that a process makes is everybody's from then on, as it was made.
        if own is None or self._name not in vars(obj):
            vars(obj)[self._name] = value if self._copied is None else self._copied(value)
        if own is not None:
            own[id(obj), self._name] = value


_FACTORY = (0, "factory of records")
"""Where a process keeps its own; no logger has this identity."""


@contextmanager
def installed() -> Iterator[None]:
    """Keep the set-up of logging apart, for one simulation."""
    clear = logging.config._clearExistingHandlers  # type: ignore[attr-defined]

    def _clear_existing_handlers() -> None:
        if logging_setup.current() is None:
            clear()

    shared = logging.getLogRecordFactory()

    def get_factory() -> Callable[..., logging.LogRecord]:
        own = logging_setup.current()
        found: Callable[..., logging.LogRecord] = (own or {}).get(_FACTORY, shared)
        return found

    def set_factory(factory: Callable[..., logging.LogRecord]) -> None:
        nonlocal shared
        own = logging_setup.current()
        if own is None:
            shared = factory
        else:
            own[_FACTORY] = factory

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return get_factory()(*args, **kwargs)

    replaced: list[tuple[Any, str, Any]] = [
        (logging, "getLogRecordFactory", get_factory),
        (logging, "setLogRecordFactory", set_factory),
        (logging, "_logRecordFactory", make),
        (logging.Logger, "level", _Own("level")),
        (logging.Logger, "propagate", _Own("propagate")),
        (logging.Logger, "disabled", _Own("disabled")),
        (logging.Logger, "handlers", _Own("handlers", list)),
        (logging.Logger, "filters", _Own("filters", list)),
        (logging.Logger, "_cache", _Own("_cache", lambda _: {})),
        (logging.Manager, "_disable", _Own("_disable")),
        (logging.config, "_clearExistingHandlers", _clear_existing_handlers),
    ]
    with replacing(replaced):
        yield
