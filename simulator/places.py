"""Which code is the user's own, among the frames of a call."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path
from types import FrameType


def users_frame(innermost: FrameType) -> FrameType:
    """The innermost frame of the user's own code; failing that, the innermost of all.

    Code without a file, such as the `__init__` that a dataclass writes, is the user's only if no
    other is: a program given by `python -c` has no file either.
    """
    unwritten: FrameType | None = None
    frame: FrameType | None = innermost
    while frame is not None:
        name = frame.f_code.co_filename
        if not _is_foreign(name):
            if not name.startswith("<"):
                return frame
            unwritten = frame
        frame = frame.f_back
    return unwritten or innermost


def is_users(frame: FrameType) -> bool:
    """Whether a frame is one of the user's own code."""
    return not _is_foreign(frame.f_code.co_filename)


@cache
def _is_foreign(filename: str) -> bool:
    return filename.startswith(_foreign()) or "/site-packages/" in filename


@cache
def _foreign() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    package = str(Path(__file__).parent)
    return (paths["stdlib"], paths["purelib"], paths["platlib"], "<frozen", package)
