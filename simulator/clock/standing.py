"""Where a thread stands, in the user's own code."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from pathlib import Path
from types import FrameType


def standing_at(ident: int | None) -> str:
    """Where a thread stands, as ` at file.py:12 in function: code`; empty if it is unknown."""
    frame = sys._current_frames().get(ident) if ident is not None else None
    if frame is None:
        return ""
    frame = _users_frame(frame)
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f" at {code.co_filename}:{frame.f_lineno} in {code.co_name}: {line}"


def _users_frame(innermost: FrameType) -> FrameType:
    """The innermost frame of the user's own code; failing that, the innermost of all."""
    paths = sysconfig.get_paths()
    foreign = (paths["stdlib"], paths["purelib"], paths["platlib"], "<frozen", _PACKAGE)
    frame: FrameType | None = innermost
    while frame is not None:
        if not frame.f_code.co_filename.startswith(foreign):
            return frame
        frame = frame.f_back
    return innermost


_PACKAGE = str(Path(__file__).parent)
