"""The process of one piece of work on a cluster: what `there.py` starts.

    python -m simulator.cluster.process FOLDER

Reads the pickled piece from FOLDER/work, calls it, and writes FOLDER/answer: what it has returned, or
the `SimulationError` that it has raised. It ends, with all that it has started, when its standard input
does.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from pathlib import Path

from simulator.cluster.there import GRACE_SECONDS
from simulator.errors import SimulationError


def main(folder: Path) -> None:
    """Do the piece of work in the folder. Exit code 130 if it is asked to stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_worker, daemon=True).start()
    answer: object
    try:
        answer = pickle.loads((folder / "work").read_bytes())()
    except KeyboardInterrupt:
        sys.exit(130)
    except SimulationError as wrong:
        answer = wrong
    (folder / "writing").write_bytes(pickle.dumps(answer))
    (folder / "writing").rename(folder / "answer")


def _end_with_worker() -> None:
    while os.read(0, 1):
        pass  # nothing is ever written: this is its end
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
