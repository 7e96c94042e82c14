"""Which code is the user's own, among the frames of a call."""

from __future__ import annotations

import csv
import linecache
import re
import sys
import sysconfig
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType

_PACKAGE = str(Path(__file__).parent)
_COURSE = str(Path(__file__).parent / "lessons" / "course")
"""The flows of the lessons are what users write, though they come with this package."""


def users_frame(innermost: FrameType) -> FrameType:
    """The innermost frame of the user's own code; failing that, of a library's, neither Python's nor
    this one; failing that, the innermost of all.

    Code without a file, such as the `__init__` that a dataclass writes, is the user's only if no
    other is: a program given by `python -c` has no file either.
    """
    unwritten: FrameType | None = None
    of_library: FrameType | None = None
    frame: FrameType | None = innermost
    while frame is not None:
        name = frame.f_code.co_filename
        if not _is_foreign(name):
            if not name.startswith("<"):
                return frame
            unwritten = frame
        elif of_library is None and not (_is_standard(name) or _is_of_package(name)):
            of_library = frame
        frame = frame.f_back
    return unwritten or of_library or innermost


def is_users(frame: FrameType) -> bool:
    """Whether a frame is one of the user's own code."""
    return not _is_foreign(frame.f_code.co_filename)


def is_ours(innermost: FrameType) -> bool:
    """Whether what Python's own library does in a frame, it does for this package."""
    asker = _asker(innermost)
    return asker is not None and _is_of_package(asker.f_code.co_filename)


def is_for_users(innermost: FrameType) -> bool:
    """Whether what Python's own library does in a frame, it does for the user's own code."""
    asker = _asker(innermost)
    return asker is not None and is_users(asker)


def _asker(innermost: FrameType) -> FrameType | None:
    """The frame for which Python's own library does what it does in a frame."""
    frame: FrameType | None = innermost
    while frame is not None and _is_standard(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def place_of_call(innermost: FrameType) -> str:
    """The line of the user's own code that led to a frame, as "file.py:12"; empty if there is none."""
    frame = users_frame(innermost)
    return f"{short(frame.f_code.co_filename)}:{frame.f_lineno}" if is_users(frame) else ""


def place_of_error(traceback: TracebackType | None) -> str:
    """The innermost line of the user's own code in a traceback; empty if there is none."""
    place = ""
    while traceback is not None:
        if is_users(traceback.tb_frame):
            place = f"{short(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


@cache
def short(file: str) -> str:
    """A path as a user would type it: relative to the working folder if it lies below."""
    try:
        shown = str(Path(file).resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file
    _whole[shown] = file
    return shown


_whole: dict[str, str] = {}
"""Paths that are shown shorter, as they were given."""


def code_at(place: str) -> str:
    """The line of code at a place such as "file.py:12", on one line; empty if it cannot be read."""
    file, _, number = place.rpartition(":")
    if not number.isdecimal():
        return ""
    return linecache.getline(_whole.get(file, file), int(number)).strip()


def is_users_file(filename: str) -> bool:
    """Whether a file is one of the user's own project, neither Python's nor a library's."""
    return not filename.startswith("<") and not _is_foreign(filename)


def place_of_word(pattern: str) -> str:
    """The first line of the user's modules, of those imported by now, in which a regular expression
    is found, as "file.py:12"; empty if it is in none.
    """
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not is_users_file(file):
            continue
        try:
            lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            if re.search(pattern, line):
                return f"{short(file)}:{number}"
    return ""


def _is_of_package(filename: str) -> bool:
    return filename.startswith(_PACKAGE) and not filename.startswith(_COURSE)


@cache
def _is_foreign(filename: str) -> bool:
    if filename.startswith(_COURSE):
        return False
    libraries = any(f"/{name}/" in filename for name in ("site-packages", "dist-packages"))
    return libraries or filename.startswith(_foreign()) or _is_installed(filename)


def _is_installed(filename: str) -> bool:
    """Whether pip has put a file where it is: into any folder of `sys.path`, as with --target."""
    if filename.startswith("<"):
        return False
    file = Path(filename)
    return any(
        file.relative_to(folder).parts[0] in _installed_in(str(folder))
        for folder in file.parents
        if str(folder) in sys.path
    )


@cache
def _installed_in(folder: str) -> frozenset[str]:
    """The names in a folder that belong to installed distributions, as these have written down (see
    https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
    """
    found: set[str] = set()
    for record in Path(folder).glob("*.dist-info/RECORD"):
        with (
            suppress(OSError),
            record.open(encoding="utf-8", errors="replace", newline="") as lines,
        ):
            found |= {row[0].partition("/")[0] for row in csv.reader(lines) if row}
    return frozenset(found)


@cache
def _is_standard(filename: str) -> bool:
    return filename.startswith(_standard()) and "/site-packages/" not in filename


@cache
def _foreign() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return (*_standard(), paths["purelib"], paths["platlib"], _PACKAGE)


@cache
def _standard() -> tuple[str, ...]:
    return (sysconfig.get_paths()["stdlib"], "<frozen")
