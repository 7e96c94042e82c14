"""Processes that were started for a simulation: how they are ended with all that they have started, and
what their end says.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path


def signal_group(pid: int, number: int) -> None:
    """Send a signal to a process that leads a group, and to all of the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def exit_in_words(code: int) -> str:
    """What an exit code means, as the end of a sentence about a process."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def last_line(log: Path) -> str:
    """The last line of a log that says something, without colours, shortened."""
    text = log.read_bytes()[-4096:].decode("utf-8", "replace")
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    return next((line[:200] for line in reversed(lines) if line), "")
