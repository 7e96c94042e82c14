"""The functions for which a stub stands in, in every process of a simulation."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from simulator import arguments
from simulator.patches import functions
from simulator.stubs.stub import Stub
from simulator.stubs.targets import Target, missing

if TYPE_CHECKING:
    from simulator.process import ProjectModules


class Functions:
    """Lets stubs answer in the place of functions. With `modules` each process has its own."""

    def __init__(self, modules: ProjectModules | None) -> None:
        self._modules = modules

    def stand_in(self, stack: ExitStack, target: Target, stub: Stub) -> None:
        """Let a stub answer from now on, until the stack is closed.

        A process that imports the project's modules itself gets it when it imports that module.
        Raises SimulationError if there is no such function, as soon as that is known.
        """

        def put(module: types.ModuleType) -> Callable[[], None]:
            return _put(module, target, stub)

        if self._modules is not None and target.users:
            for undo in self._modules.whenever_imported(target.module, put):
                stack.callback(undo)
            return
        try:
            module = importlib.import_module(target.module)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise arguments.refused(
                f"stub of {target.name!r}: its module cannot be imported: {said}"
            ) from None
        stack.callback(put(module))


def _put(module: types.ModuleType, target: Target, stub: Stub) -> Callable[[], None]:
    owner: Any = module
    for part in target.path[:-1]:
        if not hasattr(owner, part):
            raise missing(target, owner, part)
        owner = getattr(owner, part)
    name = target.path[-1]
    if not hasattr(owner, name):
        raise missing(target, owner, name)
    function = getattr(owner, name)
    if not callable(function):
        raise arguments.refused(
            f"stub: {target.name!r} is {arguments.shown(function)}, and no function"
        )
    if step := functions.name_of_step(function):
        raise arguments.refused(f"stub: {target.name!r} is a flow or task: call it {step!r}")
    stub.check(function)
    return functions.answering(owner, name, stub.answer)
