"""The patch through which a flow or a task that is called by no flow gets a process of its own.

Prefect 3.8 and 3.9. Called in a test, in the `with` block of a simulation, it would run in a thread that
nobody counts, and take a random time. `tests/clock/test_direct_calls.py` fails without it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from prefect import Flow, Task

from simulator.patches.replacing import replacing


class Scripts(Protocol):
    """Where such calls are run."""

    def wanted(self) -> bool:
        """Whether the calling thread belongs to no process."""

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call in a process of its own."""

    async def arun(self, name: str, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The same with a coroutine."""


@contextmanager
def installed(scripts: Scripts) -> Iterator[None]:
    """Let `scripts` run flows and tasks that are called by no flow."""
    replaced: list[tuple[Any, str, Any]] = [
        (Flow, "__call__", _in_a_script(scripts, "flow", Flow.__call__)),
        (Task, "__call__", _in_a_script(scripts, "task", Task.__call__)),
    ]
    with replacing(replaced):
        yield


def _in_a_script(scripts: Scripts, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def called(step: Any, *args: Any, **kwargs: Any) -> Any:
        # What a generator yields is for its caller, one by one: it runs where that one runs.
        if not scripts.wanted() or step.isgenerator:
            return call(step, *args, **kwargs)
        run = scripts.arun if step.isasync else scripts.run
        return run(f"{kind} {step.name!r}", lambda: call(step, *args, **kwargs))

    return called
