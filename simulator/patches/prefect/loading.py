"""The patch that keeps why a flow's file could not be loaded as a whole.

Prefect 3.8.8 and 3.9. Where a file imports what is not installed, Prefect loads the function alone, and
then says of it that it was "defined interactively". A test stands in `tests/worker/test_serving.py`.
"""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import prefect.flows as prefect_flows
from prefect.exceptions import ScriptError

from simulator.patches.replacing import replacing


@contextmanager
def explained() -> Iterator[None]:
    """Keep why a file could not be loaded with the flow that has been loaded without it."""
    load = prefect_flows.safe_load_flow_from_entrypoint

    def safe_load_flow_from_entrypoint(entrypoint: str) -> Any:
        flow: Any = load(entrypoint)
        error = sys.exc_info()[1]  # it is called while that is handled
        if flow is not None and isinstance(error, ScriptError):
            flow.__dict__[_WHY] = f"{type(error.user_exc).__name__}: {error.user_exc}"
        return flow

    with replacing(
        [(prefect_flows, "safe_load_flow_from_entrypoint", safe_load_flow_from_entrypoint)]
    ):
        yield


def missing_of(flow: Any) -> str | None:
    """Why the file of a flow could not be loaded as a whole; None if it was."""
    if (why := flow.__dict__.get(_WHY)) is not None:
        return " ".join(str(why).split())
    if getattr(flow.fn, "__module__", None) != _ALONE:
        return None
    # It was loaded before a simulation was open: what its code misses is what the file has not given.
    known = {*flow.fn.__globals__, *vars(builtins)}
    used = dis.get_instructions(flow.fn.__code__)
    missing = [
        one.argval for one in used if one.opname == "LOAD_GLOBAL" and one.argval not in known
    ]
    return f"nothing gave {missing[0]!r}, which it imports" if missing else "its import fails"


_WHY = "_why_not_loaded"
_ALONE = "prefect_safe_namespace_loader"
"""What Prefect says is the module of a function that it has loaded without its file."""
