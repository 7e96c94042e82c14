"""Faults alone: whom they strike, and that their dice depend on what they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.faults.plans import Fault, Step

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOM = ValueError("boom")


def step(**given):
    return Step(
        **{"name": "child", "occurrence": 0, "attempt": 1, "cycle": NOON, "within": 0, **given}
    )


def fault(**given):
    return Fault(**{"name": "child", "error": BOOM, **given})


def strikes(one, seed=0, now=NOON, **given):
    return one.strikes(step(**given), now, seed)


def test_without_conditions_it_always_strikes():
    assert all(strikes(fault(), seed, occurrence=index) for seed in range(9) for index in range(9))


def test_by_the_number_of_the_run():
    struck = [strikes(fault(on=[0, 3]), occurrence=index) for index in range(5)]
    assert struck == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("attempts", "struck"),
    [(None, [1, 2, 3, 4]), (range(1, 2), [1]), (range(2, 4), [2, 3]), (range(3, 4), [3])],
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
    one = fault(on=[1], attempts=range(2, 3), between=(NOON, NOON + HOUR))
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


def test_two_faults_of_one_step_have_dice_of_their_own():
    cycles = [NOON + index * HOUR for index in range(200)]
    first, second = (fault(probability=0.5, number=number) for number in (0, 1))
    assert [strikes(first, cycle=at) for at in cycles] != [
        strikes(second, cycle=at) for at in cycles
    ]
