"""What the benchmarks measure with is no simulation's clock."""

from benchmarks import __main__ as bench
from benchmarks import long
from simulator import Simulation


def test_a_month_in_a_simulation_takes_seconds_of_it():
    with Simulation() as simulation:
        began = long.cpu()
        assert 0 < bench.timed(lambda: simulation.advance(days=30)) < 3600
        assert 0 < long.cpu() - began < 3600
