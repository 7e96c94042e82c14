"""A results file for all tests of the page."""

from pathlib import Path

import pytest
from nights import write_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "results.duckdb"
    write_results(path)
    return path
