"""What all tests share."""

import os
import signal
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from hypothesis import settings

from simulator.cache import cache_folder
from tests.cloud import pytest_configure

__all__ = ["pytest_configure"]  # the whole session is that of a user of Prefect Cloud

# Real time says nothing here: the machine may be busy, and so may the virtual clock.
settings.register_profile("simulator", deadline=None, print_blob=True)
settings.load_profile("simulator")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and with them every process
# that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test that gives its processes a home of their own need not have them make a new database there.
os.environ.setdefault("PREFECT_SIMULATOR_CACHE", str(cache_folder()))

# pytest-xdist gives its workers 80 columns; what is tested goes to a pipe, which has no width.
os.environ.pop("COLUMNS", None)


def pytest_report_header() -> str:
    """Name the engines first: a failure is often one of theirs."""
    engines = ("prefect", "dbt-core", "dbt-duckdb", "duckdb", "freezegun", "sqlalchemy", "fastapi")
    return "engines: " + ", ".join(f"{name} {version(name)}" for name in engines)


@pytest.fixture(autouse=True)
def _where_modules_are() -> Iterator[None]:
    """Take out of `sys.path` what commands that run in this process have put there."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True)
def _the_real_simulation() -> Iterator[None]:
    """Put the class back, if a test has put a fake in its place (`fake_simulation.install`)."""
    import simulator.simulation  # Prefect reads the profile when it is imported

    real = simulator.simulation.Simulation
    yield
    simulator.simulation.Simulation = real  # type: ignore[misc]  # a class is not rebound, else
