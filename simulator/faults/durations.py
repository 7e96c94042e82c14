"""How long a step takes in virtual time: always the same, from a distribution, or from a list."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist
from typing import Protocol, TypeAlias

from simulator.arguments import checked, kinds, refused


class Distribution(Protocol):
    """Draws durations."""

    def sample(self, source: random.Random) -> timedelta:
        """One duration, drawn from `source` and nothing else."""


Duration: TypeAlias = timedelta | Distribution | Sequence[timedelta]


@dataclass(frozen=True)
class LogNormal:
    """A log-normal duration; see `lognormal`."""

    median: timedelta
    sigma: float

    def sample(self, source: random.Random) -> timedelta:
        return self.median * math.exp(source.gauss(0.0, self.sigma))


@checked(median=kinds.span(above_zero=True), sigma=kinds.number(0))
def lognormal(median: timedelta, sigma: float) -> LogNormal:
    """Durations whose logarithm is normal: half of them below `median`, with a long tail above.

    `sigma` is the standard deviation of the natural logarithm: 68 % lie within a factor of
    exp(`sigma`) of the median, and the 95th percentile is `median` * exp(1.645 * `sigma`).

    Raises SimulationError if `median` is not positive or `sigma` is negative.
    """
    return LogNormal(median, sigma)


def of_quantiles(quantiles: Mapping[float, timedelta]) -> LogNormal:
    """The log-normal duration with two quantiles, each by its share: `{0.5: ..., 0.95: ...}`.

    Raises SimulationError for more or fewer, or if the longer one has not the larger share.
    """
    if len(quantiles) != 2 or not all(0 < share < 1 for share in quantiles):
        raise refused("a log-normal duration has two quantiles, such as p50 and p95")
    (small, shorter), (large, longer) = sorted(quantiles.items())
    if not timedelta(0) < shorter < longer:
        raise refused(
            f"the quantile p{100 * large:g} must be longer than p{100 * small:g}, and that than 0"
        )
    normal = NormalDist()
    sigma = math.log(longer / shorter) / (normal.inv_cdf(large) - normal.inv_cdf(small))
    return LogNormal(shorter / math.exp(sigma * normal.inv_cdf(small)), sigma)


def draw(duration: Duration, occurrence: int, source: random.Random) -> timedelta:
    """The duration of the run number `occurrence` (from 0); a list's last one stays."""
    if isinstance(duration, timedelta):
        return duration
    if isinstance(duration, Sequence):
        return duration[min(occurrence, len(duration) - 1)]
    return duration.sample(source)
