"""A copy of a project, in which it lives: what its flows write is theirs, and gone at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from simulator.errors import SimulationError
from simulator.folders import throw_away

_NOT_ITS_OWN = (".git", "node_modules", "__pycache__")


def home_of(folder: Path, in_place: bool) -> AbstractContextManager[Path]:
    """Where a project is to live: in a copy, or in its folder itself."""
    return nullcontext(folder) if in_place else copied(folder)


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A copy of a project, without its environments, and what cannot be read. What is refused in it is
    said of the folder.

    Raises SimulationError if there is no such folder, or if it cannot be copied.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise SimulationError(f"there is no folder {str(folder)!r}")
    with throw_away("simulate-") as own:
        copy = own / folder.name
        try:
            shutil.copytree(folder, copy, ignore=_left_out, ignore_dangling_symlinks=True)
        except OSError as wrong:
            raise SimulationError(
                f"cannot copy {str(folder)!r}: {wrong}; with --in-place it lives in the folder itself"
            ) from None
        try:
            yield copy
        except SimulationError as wrong:
            raise SimulationError(str(wrong).replace(str(copy), str(folder))) from None


def moved(file: Path, folder: Path, copy: Path) -> Path:
    """Where a file of the folder is in the copy; one from elsewhere stays where it is."""
    file, folder = file.absolute(), folder.absolute()
    return copy / file.relative_to(folder) if file.is_relative_to(folder) else file


def _left_out(where: str, names: list[str]) -> set[str]:
    return {name for name in names if name in _NOT_ITS_OWN or _is_left_out(Path(where, name))}


def _is_left_out(path: Path) -> bool:
    if path.is_dir():
        return (path / "pyvenv.cfg").exists() or not os.access(path, os.R_OK | os.X_OK)
    return path.exists() and not (path.is_file() and os.access(path, os.R_OK))
