"""The time zone that a process takes from its environment: that of all here, which is told."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from simulator import caveats
from simulator.process.environ import environment, shared_variables
from simulator.process.processes import Process

KIND = "time zone"


def tell_zone(process: Process) -> None:
    """Tell that the local time of a process is not the one that its variable TZ asks for."""
    asked = os.fsdecode(environment.of(process).variables.get(b"TZ", b""))
    if asked == os.fsdecode(shared_variables().get(b"TZ", b"")) or _is_here(asked):
        return
    caveats.tell(
        KIND,
        f"TZ={asked!r} in the environment of a run: its local time is that of the simulation"
        f" ({'/'.join(dict.fromkeys(time.tzname))}), as of all others. Start the simulation itself with"
        " this TZ, or ask for the time in a zone",
        run=process.thread.name.rpartition("/")[2],
    )


def _is_here(asked: str) -> bool:
    """Whether clocks there show what they show here, in winter and in summer."""
    try:
        there = ZoneInfo(asked or "UTC")
    except (ValueError, OSError, LookupError):
        return False  # a rule, such as CET-1CEST
    year = time.gmtime().tm_year
    return all(
        time.localtime(instant.timestamp()).tm_gmtoff
        == instant.astimezone(there).utcoffset().total_seconds()  # type: ignore[union-attr]
        for instant in (datetime(year, month, 15, tzinfo=UTC) for month in (1, 7))
    )
