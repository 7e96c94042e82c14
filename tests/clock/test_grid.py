"""Loops on a grid of virtual time, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from simulator.clock.grid import GridLoop
from simulator.clock.virtual import VirtualClock
from simulator.instants import to_micros

START = datetime(2026, 1, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock():
    return VirtualClock(START)


def every_five_seconds(clock, acted):
    """A loop that has something to do at each of its points."""

    def act():
        acted.append((clock.instant - to_micros(START)) / 1e6)

    return GridLoop(
        "five",
        5 * SECOND,
        clock,
        written=lambda: len(acted),
        candidates=lambda: [(0, len(acted))],
        act=act,
    )


def test_a_loop_acts_at_every_point_of_its_grid(clock):
    acted = []
    loop = every_five_seconds(clock, acted)
    clock.add_source(loop)
    loop.begin()
    clock.drive(START + 12 * SECOND)
    assert acted == [0, 5, 10]
    loop.end()
    clock.drive(START + 60 * SECOND)
    assert acted == [0, 5, 10]


def test_the_grid_is_one_of_whole_seconds_wherever_it_begins(clock):
    acted = []
    loop = every_five_seconds(clock, acted)
    clock.add_source(loop)
    clock.drive(START + 2.7 * SECOND)
    loop.begin(at_once=False)
    clock.drive(START + 15 * SECOND)
    assert acted == [7, 12]


def test_reads_of_the_time_let_no_point_go_by(clock):
    acted = []
    loop = every_five_seconds(clock, acted)
    clock.add_source(loop)
    loop.begin()
    clock.catch_up(to_micros(START + 7 * SECOND))  # what seven million reads would show
    clock.drive(START + 10 * SECOND)
    assert acted == [0, 5, 10]
