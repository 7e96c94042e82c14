"""Why the file of a flow could not be imported, in a user's words."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

from simulator.places import is_users_file, place_of_error

PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "google.cloud": "google-cloud",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What to install for a module, where the two differ by more than a dash."""


def cause_of(error: BaseException, folder: Path) -> str:
    """Why an import failed: what is missing, and where the user's own code asks for it.

    `folder` is the project's.
    """
    inner = _innermost(error)
    place = place_of_error(inner.__traceback__)
    told = _told(inner, folder)
    return f"{told} ({place})" if place else told


def _innermost(error: BaseException) -> BaseException:
    """What the user's file raised, without what Prefect has wrapped around it."""
    wrapped = getattr(error, "user_exc", None)
    return error if wrapped is None else _innermost(wrapped)


def _told(error: BaseException, folder: Path) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error.name, folder)
    if isinstance(error, KeyError) and _raised_in(error, "os.py", "<frozen os>"):
        return f"the environment variable {error.args[0]!r} is not set"
    if isinstance(error, FileNotFoundError) and error.filename:
        return _missing_file(Path(str(error.filename)))
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _missing_module(name: str, folder: Path) -> str:
    top = name.partition(".")[0]
    own = next(_own_modules(top, folder), None)
    if own is not None:
        relative = own.parent.relative_to(folder)
        return (
            f"the module {name!r} is the project's own, in {str(relative)!r}, and Python does not"
            f" look there: set PYTHONPATH, or install it (pip install -e)"
        )
    package = PACKAGES.get(name) or PACKAGES.get(top) or top.replace("_", "-")
    return f"the module {name!r} is not installed (pip install {package})"


def _own_modules(top: str, folder: Path) -> Iterator[Path]:
    for pattern in (f"**/{top}.py", f"**/{top}/__init__.py"):
        for found in sorted(folder.glob(pattern)):
            module = found.parent if found.name == "__init__.py" else found
            if module.parent != folder and is_users_file(str(found)) and ".venv" not in found.parts:
                yield module


def _missing_file(file: Path) -> str:
    beside = file.parent.iterdir() if file.parent.is_dir() else ()
    other = [one.name for one in beside if one.name.lower() == file.name.lower()]
    if other:
        return f"there is no {file.name!r}, only {other[0]!r}: upper and lower case differ"
    return f"there is no file {str(file)!r}"


def _raised_in(error: BaseException, *files: str) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).name in files
