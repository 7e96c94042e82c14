"""Whether anything in an event loop waits for the real world, or only has it open.

A connection that is kept for later and a server that listens are in the selector as well. A task that
sleeps meanwhile must not sleep in real time.
"""

from __future__ import annotations

import asyncio
from asyncio import locks, queues, selector_events, taskgroups, tasks
from collections.abc import Iterable
from inspect import getattr_static
from selectors import SelectorKey
from typing import Any, cast

from simulator.clock.peers import Peers

_IN_MEMORY = {module.__file__ for module in (locks, queues, taskgroups, tasks)}
"""Where asyncio waits for what other tasks do."""

_SocketTransport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # noqa: SLF001

_OF_PROCESS = ("wait", "communicate")
"""What an object is called for that stands for a process, and has its `returncode`."""

_NONE = object()

_ONLY_OPEN = ("_accept_connection", "_do_wait")
"""What a loop calls for a server that listens, and for a process that runs."""


def awaits_the_world(loop: Any, keys: Iterable[SelectorKey], peers: Peers) -> bool:
    """Whether one of the files in a loop's selector is waited for. Called by the loop's own thread."""
    doubtful = False
    for key in keys:
        if key.fd == loop._ssock.fileno() or peers.has([key.fd]):  # noqa: SLF001  its own wake-up pipe
            continue
        known = _is_awaited(key)
        if known:
            return True
        doubtful |= known is None
    return doubtful and any(map(_may_await_the_world, asyncio.all_tasks(loop)))


def _is_awaited(key: SelectorKey) -> bool | None:
    """Whether a file is waited for; None if its tasks must be asked."""
    reader, writer = key.data
    if writer is not None:
        return True
    callback: Any = reader._callback  # noqa: SLF001
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, _SocketTransport):
        protocol = owner.get_protocol()
        if isinstance(protocol, asyncio.StreamReaderProtocol):
            stream: Any = cast("Any", protocol)._stream_reader  # noqa: SLF001
            return stream is not None and stream._waiter is not None  # noqa: SLF001
        if type(protocol).__module__.startswith("anyio."):
            return True  # it stops reading when nobody reads
    elif not isinstance(owner, asyncio.BaseTransport) and callback.__name__ not in _ONLY_OPEN:
        return True  # `loop.sock_recv`, or a reader of the user's own
    return None


def _may_await_the_world(task: asyncio.Task[Any]) -> bool:
    """Whether a task waits for anything but the time and other tasks, as far as can be seen."""
    awaited: Any = task.get_coro()
    if getattr(awaited, "cr_running", False):
        return False  # it waits for this loop, which it runs within its own
    code = None
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            code = frame.f_code
            if code.co_name in _OF_PROCESS and _is_process(frame.f_locals.get("self")):
                return True  # AnyIO's waits for an event, which the end of the process sets
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return code is None or code.co_filename not in _IN_MEMORY


def _is_process(owner: object) -> bool:
    """Whether it has a `returncode`, which is not read: who reads it has asked for the end."""
    return getattr_static(owner, "returncode", _NONE) is not _NONE
