"""What the tests of simulated processes have in common."""

from __future__ import annotations

import pytest

from simulator import Simulation


@pytest.fixture
def sim():
    with Simulation() as simulation:
        yield simulation
