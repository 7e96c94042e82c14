"""Commands go on without a reader, and at forty columns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = {
    "compare": (["compare", "FILE", "FILE", "--verbose"], 0),
    "explain": (["explain", "child-23", "--results", "FILE"], 0),
    "explain nobody": (["explain", "none", "--results", "FILE"], 2),
    "export": (["export", "FILE", "--to", "jsonl", "--output", "jsonl"], 0),
    "help": (["--help"], 0),
    "list": (["list"], 2),  # there are none
    "new": (["new", "late-export"], 0),
    "report": (["report", "FILE", "--output", "page.html"], 0),
    "show": (["show", "--results", "FILE", "--json"], 0),
    "version": (["--version"], 0),
}

ONE_AFTER_THE_OTHER = """
import json, os, sys
from simulator.cli import main
commands, out = json.loads(sys.argv[1]), sys.argv[2]
for name, arguments in commands.items():
    os.close(1)
    if out:
        assert os.open(out, os.O_WRONLY) == 1
        sys.stdout = os.fdopen(1, "w", closefd=False)
    else:
        sys.stdout = None
    try:
        main(arguments)
    except SystemExit as end:
        sys.stdout.flush()
        print(name, end.code, file=sys.stderr)
"""


@pytest.mark.parametrize("stdout", ["", "/dev/full"], ids=["closed", "full"])
def test_without_a_reader_the_exit_code_is_the_same(
    stdout: str, results: Path, tmp_path: Path
) -> None:
    commands = {
        name: [str(results) if one == "FILE" else one for one in arguments]
        for name, (arguments, _) in COMMANDS.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(commands), stdout],
        env={**os.environ, "COLUMNS": "40"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("simulate: ")]
    assert said == [f"{name} {code}" for name, (_, code) in COMMANDS.items()], done.stderr
