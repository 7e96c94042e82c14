"""Every measure, from one place: of runs (`outcomes`, `timing`) and of tables (`freshness`).

    from simulator.measures import default_measures, end_to_end_latency

    measures = [*default_measures(history), end_to_end_latency(history, "export", "dbt")]

Shares are between 0 and 1 and carry their 95 % interval; durations are in virtual seconds. A
measure that is undefined, most often since nothing was counted, has the value None.
"""

from __future__ import annotations

from simulator.history.history import History
from simulator.history.measures.figures import Measure, mean, share
from simulator.history.measures.freshness import (
    Build,
    freshness_attainment,
    partial_reads,
    stale_reads,
    staleness,
    staleness_over_time,
    wasted_builds,
)
from simulator.history.measures.outcomes import (
    child_success,
    masked_failures,
    orphans,
    parent_success,
    recovery_time,
    skipped_cleanups,
    zombies,
)
from simulator.history.measures.timing import (
    end_to_end_latency,
    peak_concurrency,
    run_seconds,
    slot_waiting,
    waiting,
    wasted_runs,
)

__all__ = [
    "Build",
    "Measure",
    "child_success",
    "default_measures",
    "end_to_end_latency",
    "freshness_attainment",
    "masked_failures",
    "mean",
    "orphans",
    "parent_success",
    "partial_reads",
    "peak_concurrency",
    "recovery_time",
    "run_seconds",
    "share",
    "skipped_cleanups",
    "slot_waiting",
    "stale_reads",
    "staleness",
    "staleness_over_time",
    "waiting",
    "wasted_builds",
    "wasted_runs",
    "zombies",
]


def default_measures(history: History) -> list[Measure]:
    """The measures that need to know nothing about the pipeline, always the same ones in the same
    order, so that variants can be set side by side.
    """
    return [
        parent_success(history),
        child_success(history),
        masked_failures(history),
        orphans(history),
        zombies(history),
        recovery_time(history),
        waiting(history),
        slot_waiting(history),
        peak_concurrency(history),
        run_seconds(history),
    ]
