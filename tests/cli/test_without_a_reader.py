"""Commands that read a results file go on without a reader, and at forty columns."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.history import History, Results

COMMANDS = {
    "compare": ["compare", "FILE", "FILE"],
    "explain": ["explain", "none", "--results", "FILE"],
    "export": ["export", "FILE", "--to", "jsonl"],
    "report": ["report", "FILE"],
    "show": ["show", "--results", "FILE"],
}
CODES = {"explain": 2}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "results.duckdb"
    Results.open(path).add("nothing", "at all", 0, History([]), real_seconds=1)
    return path


@pytest.mark.parametrize("stdout", [">&-", "> /dev/full"])
@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_reader_the_exit_code_is_the_same(name: str, stdout: str, results: Path) -> None:
    arguments = " ".join(str(results) if one == "FILE" else one for one in COMMANDS[name])
    command = f"{sys.executable} -m simulator.cli {arguments} {stdout}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "COLUMNS": "40"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == CODES.get(name, 0), done.stderr
    assert "Traceback" not in done.stderr
