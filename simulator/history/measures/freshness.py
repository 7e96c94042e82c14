"""Measures of the data in a table that is built again and again: stale, partial, fresh enough?

They look at facts read from the tables, one `Build` for each time that the table was built:

    builds = [Build(*row) for row in sim.warehouse.query("select built_at, newest_loaded_at ...")]
    print(stale_reads(builds))

All instants must be aware. Builds may be given in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from simulator.errors import SimulationError
from simulator.history.measures.figures import Measure, mean, share


@dataclass(frozen=True)
class Build:
    """One building of a table (a downstream run) and what it found in its source.

    `built_at` is when it was built; `newest_loaded_at` the load time of the newest source row that
    it holds, None if it held none; `complete` whether every batch it read was whole; `cycle` the
    beginning of the cycle whose data it was meant to hold (the scheduled time of the upstream),
    None if it was not meant for any in particular.
    """

    built_at: datetime
    newest_loaded_at: datetime | None
    complete: bool = True
    cycle: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("built_at", "newest_loaded_at", "cycle"):
            instant = getattr(self, name)
            if instant is not None and instant.tzinfo is None:
                raise SimulationError(f"{name}(={instant}) of a build must carry a time zone")

    @property
    def stale(self) -> bool:
        """Whether it holds nothing that was loaded since its cycle began."""
        if self.cycle is None:
            return False
        return self.newest_loaded_at is None or self.newest_loaded_at < self.cycle


def stale_reads(builds: Iterable[Build]) -> Measure:
    """Share of builds whose newest row was loaded before their cycle began: yesterday's data.

    A build without any row is stale. n: builds that were meant for a cycle.
    """
    meant = [build for build in builds if build.cycle is not None]
    return share("stale reads", sum(build.stale for build in meant), len(meant))


def partial_reads(builds: Iterable[Build]) -> Measure:
    """Share of builds that read an incomplete batch. n: all builds."""
    every = list(builds)
    return share("partial reads", sum(not build.complete for build in every), len(every))


def wasted_builds(builds: Iterable[Build]) -> Measure:
    """Share of builds that found nothing newer than the build before. n: all but the first."""
    newest = [build.newest_loaded_at for build in _in_order(builds)]
    same = sum(before == after for before, after in pairwise(newest))
    return share("wasted builds", same, max(len(newest) - 1, 0))


def staleness(builds: Iterable[Build]) -> Measure:
    """Mean age of the newest row at the moment of building, in seconds, with least and greatest.

    Formula: built_at - newest_loaded_at. n: builds that hold a row.
    """
    return mean(
        "staleness",
        [
            (build.built_at - build.newest_loaded_at).total_seconds()
            for build in builds
            if build.newest_loaded_at is not None
        ],
    )


def staleness_over_time(builds: Iterable[Build], until: datetime) -> Measure:
    """Mean age of the newest row that a reader finds, over time, in seconds, least and greatest.

    Between two builds the age grows second by second: this is the area under that saw-tooth from
    the first build that holds a row to `until`, divided by that time. A build without rows counts
    as if it had not been made. n: builds in that time.
    """
    spans = [
        (build.newest_loaded_at, since, to)
        for build, since, to in _standing(builds, until)
        if build.newest_loaded_at is not None
    ]
    total = sum((to - since).total_seconds() for _, since, to in spans)
    if total == 0:
        return Measure("staleness over time", None, "seconds", n=len(spans))
    ages = [
        ((since - newest).total_seconds(), (to - newest).total_seconds())
        for newest, since, to in spans
    ]
    area = sum((young + old) / 2 * (old - young) for young, old in ages)
    youngest, oldest = min(young for young, _ in ages), max(old for _, old in ages)
    return Measure("staleness over time", area / total, "seconds", youngest, oldest, len(spans))


def freshness_attainment(
    builds: Iterable[Build], target: timedelta, until: datetime, since: datetime | None = None
) -> Measure:
    """Share of the time from `since` to `until` in which the newest row was at most `target` old.

    Until the first build the target is not met; `since` is the first build unless given. A build
    without rows counts as if it had not been made. n: builds. It is a share of time and not of
    independent trials, so it has no interval: low and high are None.
    """
    if target < timedelta(0):
        raise SimulationError(f"target(={target}) must not be negative")
    every = _in_order(builds)
    begin = since if since is not None else (every[0].built_at if every else until)
    length = (until - begin).total_seconds()
    if length <= 0:
        return Measure("freshness attainment", None, "share", n=len(every))
    met = 0.0
    for build, start, end in _standing(every, until):
        assert build.newest_loaded_at is not None
        first, last = max(start, begin), min(end, build.newest_loaded_at + target)
        met += max((last - first).total_seconds(), 0.0)
    return Measure("freshness attainment", met / length, "share", n=len(every))


def _in_order(builds: Iterable[Build]) -> list[Build]:
    return sorted(builds, key=lambda build: build.built_at)


def _standing(
    builds: Iterable[Build], until: datetime
) -> Iterator[tuple[Build, datetime, datetime]]:
    """Each build that holds a row, from when to when it was the newest such, up to `until`."""
    filled: Sequence[Build] = [
        build
        for build in _in_order(builds)
        if build.newest_loaded_at is not None and build.built_at < until
    ]
    ends = [build.built_at for build in filled[1:]] + [until]
    for build, end in zip(filled, ends, strict=False):
        yield build, build.built_at, end
