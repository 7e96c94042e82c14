"""The patch through which faults and durations get into the steps of a flow.

Prefect 3.8 and 3.9. Apart from the other patches, because a live engine needs it, and nothing else,
in the processes of its flows. `tests/live/test_live.py` and `tests/test_simulation.py` fail without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import prefect.flow_engine as prefect_flow_engine
import prefect.task_engine as prefect_task_engine
from prefect.utilities.callables import parameters_to_args_kwargs

from simulator.patches.replacing import replacing


@dataclass
class Call:
    """A call of a step's own function."""

    function: Callable[..., Any]
    parameters: dict[str, Any]

    def __call__(self) -> Any:
        return _call_with_parameters(self.function, self.parameters)

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Those by position, and those by name."""
        return parameters_to_args_kwargs(self.function, self.parameters)


Surround = Callable[[Call], Any]


@contextmanager
def installed(around_flow: Surround, around_task: Surround) -> Iterator[None]:
    """Let `around_flow(call)` and `around_task(call)` surround a step's own code."""
    replaced: list[tuple[Any, str, Any]] = [
        # The one place through which both of Prefect's engines call a step's own code.
        (prefect_flow_engine, "call_with_parameters", _around(around_flow)),
        (prefect_task_engine, "call_with_parameters", _around(around_task)),
    ]
    with replacing(replaced):
        yield


def _around(surround: Surround) -> Callable[..., Any]:
    def call_with_parameters(fn: Callable[..., Any], parameters: dict[str, Any]) -> Any:
        return surround(Call(fn, parameters))

    return call_with_parameters


_call_with_parameters: Callable[..., Any] = vars(prefect_flow_engine)["call_with_parameters"]
