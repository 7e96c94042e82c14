"""What a stub answers, and whether that is what it stands in for says it returns."""

from __future__ import annotations

import functools
import inspect
import threading
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from unittest.mock import NonCallableMock

from simulator import arguments
from simulator.errors import SimulationError
from simulator.stubs.samples import NoSample, returned

if TYPE_CHECKING:  # late: it takes longer to import than all else here
    from pydantic import ConfigDict, TypeAdapter

MADE_UP: Any = object()
"""No value was given: one is made from what the function says it returns."""

Function = Callable[..., Any]


class Stub:
    """Answers calls in the place of what is called `name`.

    With `returns`, or the next one of `each`, or the one of `attempts` for Prefect's run count; the last
    one of a sequence stays. A function is called with the arguments, an exception is raised, anything
    else is returned. Without any of them a value is made up; `columns` are those of a DataFrame.
    `calls` counts.
    """

    def __init__(
        self,
        name: str,
        *,
        returns: Any = MADE_UP,
        each: Sequence[Any] | None = None,
        attempts: Sequence[Any] | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.calls = 0
        self._each = each
        self._attempts = attempts
        self._returns = returns
        self._columns = columns
        self._checked: list[Function] = []
        self._mutex = threading.Lock()

    def check(self, *functions: Function) -> None:
        """Raise SimulationError if an answer is known already, and is not what one of them says.

        There are several flows or tasks of one name where each process has its own.
        """
        self._checked += functions
        values = self._each or self._attempts or [self._returns]
        for value in values:
            if value is MADE_UP:
                for function in functions[:1]:
                    self._made(function)
            elif not _is_called(value) and not _is_raised(value):
                _check(self.name, value, functions)

    def answer(
        self, function: Function, args: Sequence[Any], kwargs: Mapping[str, Any], attempt: int = 1
    ) -> Any:
        """The answer to a call of `function`; raises what is to be raised."""
        with self._mutex:
            number = self.calls
            self.calls += 1
        value = self._value(number, attempt)
        if value is MADE_UP:
            return self._made(function)
        if _is_raised(value):
            raise value if isinstance(value, type) else value.with_traceback(None)
        if _is_called(value):
            value = value(*args, **kwargs)
            if not inspect.isawaitable(value):
                _check(self.name, value, [function, *self._checked])
        return value

    def _value(self, number: int, attempt: int) -> Any:
        if self._attempts is not None:
            return self._attempts[min(attempt, len(self._attempts)) - 1]
        if self._each is not None:
            return self._each[min(number, len(self._each) - 1)]
        return self._returns

    def _made(self, function: Function) -> Any:
        try:
            made = returned(function)
        except NoSample as wrong:
            raise arguments.refused(
                f"stub of {self.name!r}: nothing can make up {wrong}: give returns="
            ) from None
        return made if self._columns is None else type(made)({one: [] for one in self._columns})


def _is_raised(value: Any) -> bool:
    return isinstance(value, BaseException) or (
        isinstance(value, type) and issubclass(value, BaseException)
    )


def _is_called(value: Any) -> bool:
    """Whether it is a function, and not an object that can be called as well: a mock of a client."""
    return inspect.isroutine(value) or isinstance(value, type | functools.partial)


def _check(name: str, value: Any, functions: Sequence[Function]) -> None:
    """Raise SimulationError unless one of the functions says that it returns such a value."""
    wrong: list[SimulationError] = []
    for kind in _kinds(functions):
        error = _mismatch(name, value, kind)
        if error is None:
            return
        wrong.append(error)
    if wrong and not isinstance(value, NonCallableMock):
        raise wrong[0]


def _kinds(functions: Sequence[Function]) -> Iterator[Any]:
    for function in functions:
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except (NameError, TypeError):  # names that only a type checker knows
            continue
        if "return" in hints:
            yield hints["return"]


def _mismatch(name: str, value: Any, kind: Any) -> SimulationError | None:
    from pydantic import ValidationError

    adapter = _adapter(kind)
    if adapter is None:
        return None
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = "".join(f"[{one!r}]" for one in first["loc"])
        said = f"{at}: {first['msg']}" if at else first["msg"]
        what = inspect.formatannotation(kind)
        return arguments.refused(
            f"stub of {name!r}: {arguments.shown(value)} must be of the type {what} ({said})"
        )
    return None


def _adapter(kind: Any) -> TypeAdapter[Any] | None:
    """What validates values of a type; None if nothing can."""
    from pydantic import ConfigDict, TypeAdapter

    configs: list[ConfigDict | None] = [ConfigDict(arbitrary_types_allowed=True), None]
    for config in configs:  # models and dataclasses bring their own
        try:
            return TypeAdapter(kind, config=config)
        except Exception:  # whatever a type of a user's raises
            continue
    return None
