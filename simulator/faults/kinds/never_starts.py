"""A process never starts."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from simulator.faults.starts import StartFault


@dataclass(frozen=True, kw_only=True)
class NeverStarts(StartFault):
    """A worker takes a run and nothing comes of it: the run stays Pending, and its slots held."""

    kind: ClassVar[str] = "never starts"

    def seconds(self, dice: Random) -> float | None:  # noqa: ARG002
        return None

    def does(self) -> str:
        return f"lets processes of {self.target} never start"
