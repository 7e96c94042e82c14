"""A results file for the tests of commands that read one."""

from pathlib import Path

import pytest

from tests.report.nights import write_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("commands") / "results.duckdb"
    write_results(path)
    return path
