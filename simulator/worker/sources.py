"""Which folders stand for git repositories, from which nothing is cloned."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.errors import SimulationError


class Sources:
    """The folders that a simulation's user has put in the place of repositories. `other` stands for any
    repository that is neither among them nor on this machine; None: there is no such folder.
    """

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self.other: Path | None = None

    def put(self, url: str, folder: Path) -> None:
        """Let `folder` stand for the repository at `url`.

        Raises SimulationError for a folder that is not there.
        """
        if not folder.is_dir():
            raise SimulationError(f"folder={str(folder)!r} is no folder")
        self._folders[_plain(url)] = folder.absolute()

    def folder_of(self, url: str) -> Path | None:
        """The folder that stands for the repository at `url`; None for one on this machine.

        Raises SimulationError for any other.
        """
        if (folder := self._folders.get(_plain(url))) is not None:
            return folder
        if url.startswith("file://") or (":" not in url and Path(url).exists()):
            return None
        if self.other is not None:
            return self.other
        raise SimulationError(
            f"the git repository {_shown(url)!r} is not on this machine: say which folder stands for"
            " it, with Simulation.source(url, folder)"
        )


def _plain(url: str) -> str:
    """A repository's address without what does not tell it from others."""
    return re.sub(r"^(\w+://)([^/@]*@)?", "", url.strip().rstrip("/").removesuffix(".git")).lower()


def _shown(url: str) -> str:
    """An address without a password or a token."""
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", url)
