"""What a process prints with, where to, and where it imports from: its own `print`, `sys.stdout`,
`sys.argv`, `sys.path` and the like.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from simulator.process.own import Own

NAMES_OF_SYS = ("stdin", "stdout", "stderr", "argv", "path")
"""What of `sys` each process has for itself."""


class Output:
    """What one process has in the place of some attributes of `sys`, and of `print`."""

    def __init__(self) -> None:
        self.of_sys: dict[str, Any] = {name: list(vars(sys)[name]) for name in ("argv", "path")}
        self.print: Callable[..., None] | None = None


output = Own(lambda _: Output())
