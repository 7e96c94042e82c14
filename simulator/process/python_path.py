"""Where a process imports from by its PYTHONPATH, which Python reads once, as it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping


def add_folders(path: list[str], variables: Mapping[bytes, bytes]) -> None:
    """Put what PYTHONPATH among `variables` says on a `sys.path`, as Python does at its start: in order,
    behind the folder of the program and before all else, relative ones from the working directory on.
    What is there stays where it is: this Python has begun with a PYTHONPATH, too.
    """
    said = os.fsdecode(variables.get(b"PYTHONPATH", b""))
    if said:
        folders = dict.fromkeys(map(os.path.abspath, said.split(os.pathsep)))
        path[1:1] = [folder for folder in folders if folder not in path]
