"""Lets something else answer in the place of a function of anybody's, for stubs.

Python 3.11 to 3.13. What is patched, and why: the function that a user names, and no other.

- A function in Python is given other code, so that whoever holds it calls that: `from x import f`, a
  default argument, a task made of it. It stays the object that it is.
- Whatever else can be called (a class, a function in C, a method of one object) is replaced by its
  name, and in every module that has imported it.

`tests/stubs/test_stubbed_functions.py` fails without each of them.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

from simulator.patches.replacing import replacing

Answer = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""Is told the function, and the arguments of a call."""


def answering(owner: Any, name: str, answer: Answer) -> Callable[[], None]:
    """Let `answer` answer for a function of a module, a class or an object. Returns what ends that."""
    held = inspect.getattr_static(owner, name)
    function = held.__func__ if isinstance(held, classmethod | staticmethod) else held
    own = isinstance(owner, type | types.ModuleType) and name in vars(owner)
    if own and isinstance(function, types.FunctionType):
        return _with_other_code(function, answer)
    return _by_name(owner, name, answer)


def name_of_step(function: Any) -> str:
    """The name of a flow or a task; empty for everything else."""
    from prefect import Flow, Task

    return str(function.name) if isinstance(function, Flow | Task) else ""


def _with_other_code(function: types.FunctionType, answer: Answer) -> Callable[[], None]:
    before, signature = function.__code__, inspect.signature(function)
    given = vars(function).get("__signature__")
    vars(function)["__signature__"] = signature  # as it was: others ask which parameters it has

    def answered(*args: Any, **kwargs: Any) -> Any:
        return answer(function, args, kwargs)

    function.__code__ = _code(function, answered)

    def undo() -> None:
        function.__code__ = before
        vars(function).pop("__signature__")
        if given is not None:
            vars(function)["__signature__"] = given

    return undo


def _code(function: types.FunctionType, answered: Callable[..., Any]) -> types.CodeType:
    """Code that calls `answered`, for a function: as asynchronous as its own, with the same variables
    from outside, which Python insists on.
    """
    outer = function.__code__.co_freevars
    awaited = inspect.iscoroutinefunction(function)
    lines = [
        "def around():",
        *(f" {name} = None" for name in outer),
        f" {'async ' * awaited}def stand_in(*args, **kwargs):",
        *(f"  if False: {name}" for name in outer),
        f"  answer = {_MARK!r}",
        f"  return {'await ' * awaited}answer(*args, **kwargs)",
    ]
    [around] = _codes_in(compile("\n".join(lines), __file__, "exec"))
    [stand_in] = _codes_in(around)
    call = _awaiting(answered) if awaited else answered
    constants = tuple(call if one == _MARK else one for one in stand_in.co_consts)
    return stand_in.replace(co_consts=constants, co_name=function.__name__)


_MARK = "what answers"


def _codes_in(code: types.CodeType) -> list[types.CodeType]:
    return [one for one in code.co_consts if isinstance(one, types.CodeType)]


def _awaiting(answered: Callable[..., Any]) -> Callable[..., Any]:
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        answer = answered(*args, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer

    return awaited


def _by_name(owner: Any, name: str, answer: Answer) -> Callable[[], None]:
    original = getattr(owner, name)

    def answered(*args: Any, **kwargs: Any) -> Any:
        return answer(original, args, kwargs)

    call = _awaiting(answered) if inspect.iscoroutinefunction(original) else answered
    stand_in = functools.wraps(original, updated=())(call)
    replaced = replacing([(owner, name, stand_in)])
    replaced.__enter__()
    _rebind(original, stand_in)

    def undo() -> None:
        replaced.__exit__(None, None, None)
        _rebind(stand_in, original)

    return undo


def _rebind(old: Any, new: Any) -> None:
    """Replace an object in every module that has it by a name of its own."""
    for module in list(sys.modules.values()):
        if type(module) is not types.ModuleType:
            continue
        for name, held in list(vars(module).items()):
            if held is old:
                setattr(module, name, new)
