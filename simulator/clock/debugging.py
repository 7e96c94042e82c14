"""Whether somebody looks at this process with a debugger, and may take all the time in the world."""

from __future__ import annotations

import sys
from types import FrameType

DEBUGGERS = ("bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy", "ipdb", "pudb", "pdbpp")


def debugged() -> bool:
    """Whether a debugger is attached, or a thread stands in one."""
    tracer = sys.gettrace()
    if tracer is not None and _of_debugger(getattr(tracer, "__module__", None) or ""):
        return True
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        return True
    return any(_stands_in_one(frame) for frame in sys._current_frames().values())


def _stands_in_one(innermost: FrameType) -> bool:
    frame: FrameType | None = innermost
    while frame is not None:
        if _of_debugger(frame.f_globals.get("__name__", "")):
            return True
        frame = frame.f_back
    return False


def _of_debugger(module: str) -> bool:
    return module.partition(".")[0] in DEBUGGERS
