"""Standard output and standard error, whose readers may be gone: `simulate run | head`, `>&-`, a full
disk, a terminal that was closed. What cannot be shown is lost; the results are not, nor the exit code.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def keep_streams() -> None:
    """Let this process go on whatever becomes of its standard streams."""
    while True:  # a file that is opened later must not get the number of one that is closed
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            break
        os.set_inheritable(number, True)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name) or os.fdopen(number, "w", closefd=False)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Lossy(stream))


class Lossy:
    """A text stream that writes as long as there is a reader."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose it."""
        try:
            self._stream.write(text)
        except OSError:
            self._give_up()
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, or lose it."""
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
        self._stream.flush()  # what is left must not wait for another file of this number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
