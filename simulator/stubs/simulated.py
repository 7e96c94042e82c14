"""The part of a simulation that puts stubs in the place of what it shall not run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from simulator import arguments
from simulator.arguments import calls
from simulator.engine import Engine
from simulator.stubs.stub import MADE_UP, Stub
from simulator.stubs.targets import target_of


class Stubbing:
    """What a `Simulation` is beside all else: a place in which other code may answer."""

    _world: Engine
    _stack: ExitStack | None

    def __init__(self) -> None:
        self.stubs: list[Stub] = []

    def _step_name(self, name: str) -> str:
        raise NotImplementedError

    @calls.stub
    def stub(
        self,
        target: Any,
        *,
        returns: Any = MADE_UP,
        each: Sequence[Any] | None = None,
        attempts: Sequence[Any] | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Let something stand in for `target`, until the simulation ends: for the body of a flow or a
        task (itself or its name), whose run stays real, is struck by faults and takes what `takes` says;
        or for any function or method that can be imported (itself or its dotted name).

        `returns`: the answer. A function or a class is called with the arguments, an exception is
        raised; any other object is returned, lists and mocks too. `each`: one for each call, in
        order; `attempts`: one for each attempt at a run of a flow or a task, from the first on; the last
        one stays. Without any of them a value is made up of the type that `target` says it returns;
        `columns` are those of a DataFrame then.

        Raises SimulationError for what is not found, and for a value of another type than `target` says
        it returns; one that a function returns is looked at when it does.
        """
        name = _name_of_step(target)
        found = None if name is not None else target_of(target)
        stub = Stub(
            found.name if found is not None else str(name),
            returns=returns,
            each=each,
            attempts=attempts,
            columns=columns,
        )
        assert self._stack is not None
        if found is not None:
            if attempts is not None:
                raise arguments.refused(
                    f"attempts= is about flows and tasks, and {found.name!r} is a function: give each="
                )
            self._world.functions.stand_in(self._stack, found, stub)
        else:
            self._step_name(stub.name)
            own = [] if isinstance(target, str) else [target]
            stub.check(*(step.fn for step in own or arguments.steps_named(stub.name)))
            self._world.steps.stand_in(stub.name, stub.answer)
        self.stubs.append(stub)


def _name_of_step(target: Any) -> str | None:
    """The name of a flow or task, if one is meant."""
    if isinstance(target, str):
        return target if "." not in target or arguments.steps_named(target) else None
    from prefect import Flow, Task

    return target.name if isinstance(target, Flow | Task) else None
