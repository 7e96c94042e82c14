"""Where a thread stands, in the user's own code."""

from __future__ import annotations

import linecache
import sys

from simulator.places import users_frame


def standing_at(ident: int | None) -> str:
    """Where a thread stands, as ` at file.py:12 in function: code`; empty if it is unknown."""
    frame = sys._current_frames().get(ident) if ident is not None else None
    if frame is None:
        return ""
    frame = users_frame(frame)
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f" at {code.co_filename}:{frame.f_lineno} in {code.co_name}: {line}"
