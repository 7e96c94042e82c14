"""Faults alone: whom they strike, and that their dice depend on what they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import SimulationError
from simulator.faults import Faults, Hang, Injected, Longer, Raise, Step

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOM = ValueError("boom")


def step(**given):
    return Step(
        **{"name": "child", "occurrence": 0, "attempt": 1, "cycle": NOON, "within": 0, **given}
    )


def fault(**given):
    return Raise(**{"step": "child", "error": BOOM, **given})


def strikes(one, seed=0, now=NOON, **given):
    return Injected(one, 0, seed, one.stream).strikes(step(**given), now)


def test_without_conditions_it_always_strikes():
    assert all(strikes(fault(), seed, occurrence=index) for seed in range(9) for index in range(9))


def test_by_the_number_of_the_run():
    struck = [strikes(fault(on=[0, 3]), occurrence=index) for index in range(5)]
    assert struck == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("attempts", "struck"),
    [(None, [1, 2, 3, 4]), ("1", [1]), ("2-3", [2, 3]), ("3", [3]), (2, [2])],
)
def test_by_the_attempt(attempts, struck):
    one = fault(attempts=attempts)
    assert [count for count in range(1, 5) if strikes(one, attempt=count)] == struck


def test_in_a_window_whose_end_is_outside():
    one = fault(between=(NOON, NOON + 2 * HOUR))
    struck = [strikes(one, now=NOON + hours * HOUR) for hours in range(-1, 4)]
    assert struck == [False, True, True, False, False]


def test_a_window_may_be_given_in_another_zone():
    east = timezone(timedelta(hours=9))
    one = fault(between=(NOON.astimezone(east), (NOON + HOUR).astimezone(east)))
    assert strikes(one, now=NOON)
    assert not strikes(one, now=NOON + HOUR)


def test_all_conditions_must_hold():
    one = fault(on=[1], attempts="2", between=(NOON, NOON + HOUR))
    right = {"occurrence": 1, "attempt": 2, "now": NOON}
    assert strikes(one, **right)
    for wrong in ({"occurrence": 0}, {"attempt": 1}, {"now": NOON + HOUR}):
        assert not strikes(one, **{**right, **wrong})


@pytest.mark.parametrize(("probability", "share"), [(0.0, 0), (0.2, 0.2), (0.5, 0.5), (1.0, 1)])
def test_a_probability_is_the_share_that_is_struck(probability, share):
    one = fault(probability=probability)
    struck = [strikes(one, seed=7, cycle=NOON + index * HOUR) for index in range(4000)]
    # Three standard deviations; the dice are always the same ones.
    assert sum(struck) / len(struck) == pytest.approx(share, abs=3 * 0.5 / 4000**0.5)


CHANGES = st.sampled_from(
    [
        {"name": "other"},
        {"cycle": NOON + HOUR},
        {"within": 1},
        {"attempt": 2},
    ]
)


@given(seed=st.integers(), change=CHANGES)
def test_the_dice_are_those_of_the_run_and_its_attempt(seed, change):
    first = step().dice(seed, "fault 0").random()
    assert step().dice(seed, "fault 0").random() == first
    assert step(occurrence=5).dice(seed, "fault 0").random() == first  # however it was counted
    assert step(**change).dice(seed, "fault 0").random() != first
    assert step().dice(seed + 1, "fault 0").random() != first
    assert step().dice(seed, "fault 1").random() != first


def test_a_part_of_a_second_makes_no_other_cycle():
    late = step(cycle=NOON + timedelta(microseconds=17))
    assert late.dice(1, "fault 0").random() == step().dice(1, "fault 0").random()


class Nowhere:
    """A stage that takes note of nothing."""

    now = NOON

    def __init__(self):
        self.pools = {}
        self.injected = []
        self.steps = self

    def strike(self, injected):
        self.injected.append(injected)


def injected(*faults, seed=7):
    stage = Nowhere()
    known = Faults(seed)
    known.inject(faults, stage, lambda name: name, lambda name: name)
    return stage.injected


def pattern(one):
    """Which of two hundred cycles it strikes."""
    return [one.strikes(step(cycle=NOON + hour * HOUR), NOON) for hour in range(200)]


def test_two_faults_of_one_step_have_dice_of_their_own():
    half = fault(probability=0.5)
    first, second = injected(half, half)
    assert pattern(first) != pattern(second)


def test_one_fault_more_moves_no_other():
    half = fault(probability=0.5)
    alone = pattern(injected(half)[0])
    others = [Hang(step="other"), Longer(step="child", factor=2, probability=0.5)]
    assert pattern(injected(*others, half)[-1]) == alone
    assert pattern(injected(half, half)[0]) == alone


def test_a_name_gives_a_fault_numbers_that_stay_its_own():
    named = fault(probability=0.5, name="the flaky one")
    assert pattern(injected(fault(probability=0.5), named)[1]) == pattern(injected(named)[0])


@pytest.mark.parametrize(("active", "share"), [(0, 0), (0.3, 0.3), (1, 1)])
def test_whether_it_is_there_at_all_is_drawn_once_for_a_simulation(active, share):
    there = [len(injected(fault(active=active), seed=seed)) for seed in range(1000)]
    assert sum(there) / len(there) == pytest.approx(share, abs=3 * 0.5 / 1000**0.5)


def test_a_window_that_has_passed_is_refused():
    with pytest.raises(SimulationError, match="2026-01-05T12:00:00Z has passed"):
        injected(fault(between=(NOON - HOUR, NOON)))
