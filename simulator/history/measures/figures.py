"""What a measure is: one figure with its unit, its uncertainty and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959964
"""The 97.5 % point of the normal distribution: a two-sided interval of 95 %."""


@dataclass(frozen=True)
class Measure:
    """One figure about one variant.

    `value` is None where the figure is undefined, most often because nothing was counted (n = 0).
    `low` and `high` are the ends of the 95 % Wilson interval of a counted share, and the smallest
    and the largest single value of a mean; else None. `n` is what the value rests on: runs, builds
    or incidents, as the measure's function says.
    """

    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    n: int = 0


def share(name: str, counted: int, n: int) -> Measure:
    """`counted / n` with its 95 % Wilson score interval; None for n = 0.

    Unlike the textbook interval it stays inside 0..1 and has a width at 0 % and 100 %.
    Wilson, E. B. (1927): Probable inference, the law of succession, and statistical inference.
    Journal of the American Statistical Association 22 (158), 209-212.
    """
    if not 0 <= counted <= n:
        raise ValueError(f"counted(={counted}) must be within 0..{n}")
    if n == 0:
        return Measure(name, None, "share")
    p, z2 = counted / n, Z_95 * Z_95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # Exact at the ends, where the formula leaves a rounding error.
    low = 0.0 if counted == 0 else middle - half
    high = 1.0 if counted == n else middle + half
    return Measure(name, p, "share", low, high, n)


def mean(name: str, seconds: Sequence[float]) -> Measure:
    """The mean of some durations in seconds, with the shortest and the longest; None for none."""
    if not seconds:
        return Measure(name, None, "seconds")
    middle = sum(seconds) / len(seconds)
    return Measure(name, middle, "seconds", min(seconds), max(seconds), len(seconds))
