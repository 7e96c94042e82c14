"""What the flows of a user print, kept apart from what a command says."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from simulator.errors import SimulationError


@contextlib.contextmanager
def apart(log: Path | None = None, *, verbose: bool = False, quiet: bool = False) -> Iterator[None]:
    """Let what the flows print go to a file or to standard error, and not between the tables. How far
    they are is seen on the terminal all the same.
    """
    from simulator.progress import drawn_on

    try:
        file = (
            os.fdopen(os.dup(2), "wb")
            if verbose
            else tempfile.TemporaryFile()  # noqa: SIM115
            if log is None
            else log.open("wb")
        )
    except OSError as wrong:
        raise SimulationError(f"cannot write to {str(log)!r}: {wrong.strerror}") from None
    with contextlib.ExitStack() as stack:
        stack.enter_context(file)
        if not quiet and sys.stderr.isatty():
            raw = os.fdopen(os.dup(2), "wb", buffering=0)  # nothing is kept back if it goes away
            terminal = stack.enter_context(io.TextIOWrapper(raw, write_through=True))
            stack.enter_context(drawn_on(terminal))
        sys.stdout.flush()
        sys.stderr.flush()
        before = [(number, os.dup(number)) for number in (1, 2)]
        for number, _ in before:
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, kept in before:
                os.dup2(kept, number)
                os.close(kept)
