"""What a worker of a Dask cluster does with a piece of work.

A simulation replaces the time of its process, and may end it; so each has one of its own, and the worker
only waits for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from simulator.child_processes import exit_in_words, last_line, signal_group
from simulator.folders import throw_away
from simulator.versions import in_one_line

LOOK_SECONDS = 0.2
"""How often a worker looks whether its piece of work is still wanted, in real time."""

GRACE_SECONDS = 20.0
"""How long a process may take to tidy up once it has been asked to stop, in real time."""


def here() -> str:
    """Which versions a worker has."""
    return in_one_line()


def carry_out(work: bytes, key: str) -> bytes:
    """Do a pickled piece of work, the task `key`, in a process of its own. What came of it is pickled.

    Raises RuntimeError if the process has died. Ends it if the answer is no longer wanted.
    """
    from distributed import Reschedule

    with throw_away("simulate-cluster-") as folder:
        (folder / "work").write_bytes(work)
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "simulator.cluster.process", str(folder)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(folder), "DO_NOT_TRACK": "1"},
            )
        try:
            while process.poll() is None and _is_wanted(key):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
        finally:
            _end(process)
        answer = folder / "answer"
        if answer.exists():
            return answer.read_bytes()
        if not _is_wanted(key):
            raise Reschedule  # whoever wants it still has it done by another worker
        died = f"its process {exit_in_words(process.returncode)}"
        raise RuntimeError(last_line(folder / "said") or died)


def _is_wanted(key: str) -> bool:
    """Whether the task that runs here is: not if its worker goes, nor if it is to be forgotten, which
    Dask calls `cancelled`. A worker that is paused goes on with what it has.

    https://distributed.dask.org/en/stable/worker-state.html
    """
    from distributed import get_worker

    worker: Any = get_worker()
    goes = worker.status.name in ("closing", "closed", "failed")
    task = worker.state.tasks.get(key)
    return not goes and task is not None and task.state == "executing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it tidy up, if it has not ended; then end whatever it has left behind."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()
