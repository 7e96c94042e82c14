"""Where a thread stands, in the user's own code."""

from __future__ import annotations

import asyncio
import linecache
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from simulator.places import is_users, users_frame


def standing_at(ident: int | None) -> str:
    """Where a thread stands, as ` at file.py:12 in function: code`; empty if it is unknown."""
    frame = standing_in(ident)
    if frame is None:
        return ""
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f" at {code.co_filename}:{frame.f_lineno} in {code.co_name}: {line}"


def standing_in(ident: int | None) -> FrameType | None:
    """The frame in which a thread stands: of a thread whose event loop waits, where a task of that loop
    does; None if it is unknown.
    """
    innermost = sys._current_frames().get(ident) if ident is not None else None
    if innermost is None:
        return None
    awaiting = (
        frame
        for loop in _loop_of(innermost)
        for task in _tasks_of(loop)
        for frame in _awaiting(task)
    )
    return next(awaiting, users_frame(innermost))


def _loop_of(innermost: FrameType) -> Iterator[asyncio.AbstractEventLoop]:
    """The loop that a thread runs, if it does nothing else at the moment."""
    frame: FrameType | None = innermost
    while frame is not None and not is_users(frame):
        found = frame.f_locals.get("self")
        if isinstance(found, asyncio.AbstractEventLoop):
            yield found
            return
        frame = frame.f_back


def _tasks_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """Its tasks, the newest first: others wait for what it waits for."""
    by_age = sorted(
        asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name())
    )
    return by_age[::-1]


def _awaiting(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """The innermost frame of the user's own code that a task waits in, if there is one."""
    found: list[FrameType] = []
    step: Any = task.get_coro()
    while step is not None:
        frame = getattr(step, "cr_frame", None) or getattr(step, "gi_frame", None)
        if frame is not None and is_users(frame):
            found.append(frame)
        step = getattr(step, "cr_await", None) or getattr(step, "gi_yieldfrom", None)
    yield from found[-1:]
