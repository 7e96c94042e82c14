"""Every measure, under the name by which users import them.

    from simulator.measures import default_measures, end_to_end_latency

The code stands in `simulator.history.measures`.
"""

from simulator.history.measures import (
    Build,
    Measure,
    child_success,
    default_measures,
    end_to_end_latency,
    freshness_attainment,
    masked_failures,
    mean,
    orphans,
    parent_success,
    partial_reads,
    peak_concurrency,
    recovery_time,
    run_seconds,
    share,
    skipped_cleanups,
    slot_waiting,
    stale_reads,
    staleness,
    staleness_over_time,
    waiting,
    wasted_builds,
    wasted_runs,
    zombies,
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
