"""What the schedules of a project show about its design, whatever its runs do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from simulator.project.findings.finding import Finding
from simulator.project.schedules import due


def scheduled(
    schedules: Iterable[tuple[str, str, Any]], start: datetime, end: datetime
) -> Iterator[Finding]:
    """The findings of active schedules, each with its deployment and "file:line", in a span of time."""
    for deployment, where, schedule in schedules:
        one = due(deployment, where, schedule, active=True, start=start, end=end)
        for change in one.changes:
            if change.kind != "kept":
                yield Finding(
                    "change of clocks",
                    deployment,
                    f"on {change.day}, when the clocks of {one.timezone} change, a run of {deployment}"
                    f" is {change.kind}: {change.text}",
                    where=where,
                )
