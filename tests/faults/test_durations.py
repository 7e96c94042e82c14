"""Durations alone: fixed ones, lists, distributions."""

from __future__ import annotations

import math
import random
import statistics
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import SimulationError
from simulator.arguments.kinds import duration
from simulator.faults import duration_from_plain
from simulator.faults.durations import draw, lognormal

MINUTE = timedelta(minutes=1)


def test_a_fixed_duration_is_the_same_for_every_run():
    assert [draw(MINUTE, run, random.Random(run)) for run in range(3)] == [MINUTE] * 3


def test_a_list_goes_run_by_run_and_its_last_one_stays():
    listed = [MINUTE, 2 * MINUTE, timedelta(0)]
    drawn = [draw(listed, run, random.Random(0)) for run in range(5)]
    assert drawn == [MINUTE, 2 * MINUTE, timedelta(0), timedelta(0), timedelta(0)]


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_a_lognormal_has_the_median_and_the_spread_that_were_asked_for(sigma):
    source = random.Random(7)
    logs = sorted(
        math.log(lognormal(5 * MINUTE, sigma).sample(source) / (5 * MINUTE)) for _ in range(20_000)
    )
    assert statistics.median(logs) == pytest.approx(0, abs=0.03 * sigma)
    assert statistics.stdev(logs) == pytest.approx(sigma, rel=0.03)
    # As its docstring says.
    assert logs[int(0.95 * len(logs))] == pytest.approx(1.645 * sigma, rel=0.03)
    assert statistics.fmean(abs(one) < sigma for one in logs) == pytest.approx(0.68, abs=0.02)


def test_a_lognormal_without_spread_is_its_median():
    assert lognormal(MINUTE, 0).sample(random.Random(3)) == MINUTE


@given(st.integers(), st.floats(0, 3))
def test_a_distribution_draws_from_its_source_alone(seed, sigma):
    drawn = [draw(lognormal(MINUTE, sigma), run, random.Random(seed)) for run in (0, 9)]
    assert drawn[0] == drawn[1]
    assert drawn[0] >= timedelta(0)


def test_a_distribution_of_ones_own():
    class Uniform:
        def sample(self, source):
            return source.uniform(1, 2) * MINUTE

    own = Uniform()
    assert duration("duration", own) is own
    assert MINUTE <= draw(own, 0, random.Random(1)) <= 2 * MINUTE


def test_two_quantiles_make_a_log_normal_duration() -> None:
    drawn = duration_from_plain({"p50": 60, "p95": 600})
    assert drawn.median == MINUTE
    assert math.exp(1.6448536 * drawn.sigma) == pytest.approx(10)
    with pytest.raises(SimulationError, match="has two quantiles"):
        duration_from_plain({"p50": 60})
