"""Scripts as a stranger to this project writes them, with what Prefect's own pages show.

Each stands in `scripts/`, with what lies beside it in a folder of the same name, and runs as a process of
its own, `__main__` and all, in a folder of its own. It asserts for itself what must hold. Its last line says
how it ends: `# prints: ` the last line of its output, or `# raises: ` that of its traceback.

Starting Python and importing Prefect's server takes longer than most of them: all but a few are forked from
one process that has done so.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "scripts").glob("*.py"))
COLD = {"freezegun_around", "left_running", "serve_one_flow"}
"""These meet what only an interpreter shows that has imported nothing yet."""


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    # For the one real server, that of Prefect's own test harness: it reports to nobody, and starts sooner.
    server = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    }
    return kept | server


@pytest.fixture(scope="session")
def warm() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, HERE / "warm.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    ) as process:
        yield process
        os.killpg(process.pid, signal.SIGKILL)


def run_warm(warm: subprocess.Popen[str], script: Path) -> int:
    def pipe(end: IO[str] | None) -> IO[str]:
        assert end is not None
        return end

    print(json.dumps([str(script), str(script.parent)]), file=pipe(warm.stdin), flush=True)
    return int(pipe(warm.stdout).readline())


def run_cold(script: Path) -> int:
    folder = script.parent
    with (folder / "stdout.txt").open("w") as out, (folder / "stderr.txt").open("w") as error:
        return subprocess.run(
            [sys.executable, script.name],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=error,
            timeout=200,
            check=False,
        ).returncode


@pytest.mark.parametrize("name", [script.stem for script in SCRIPTS])
def test_a_stranger_writes(name, tmp_path, request):
    script = Path(shutil.copy(HERE / "scripts" / f"{name}.py", tmp_path))
    if (beside := HERE / "scripts" / name).is_dir():
        shutil.copytree(beside, tmp_path, dirs_exist_ok=True)
    code = run_cold(script) if name in COLD else run_warm(request.getfixturevalue("warm"), script)
    out, error = ((tmp_path / f"{one}.txt").read_text() for one in ("stdout", "stderr"))

    how, _, said = script.read_text().splitlines()[-1].removeprefix("# ").partition(": ")
    ends = {"prints": (0, out), "raises": (1, error)}
    assert (code, ends[how][1].splitlines()[-1:]) == (ends[how][0], [said]), out + error
    if how == "prints":
        assert "Traceback" not in error, error


def test_there_are_thirty_of_them():
    assert len(SCRIPTS) >= 30
