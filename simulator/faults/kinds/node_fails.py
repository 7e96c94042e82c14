"""A node of dbt fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.nodes import NodeFault


@dataclass(frozen=True, kw_only=True)
class NodeFails(NodeFault):
    """A model, a seed or a snapshot ends in an error with `message`, and what dbt builds from it is
    skipped; a data test finds one row, and fails or warns as its severity says. None of its SQL is run.
    """

    kind: ClassVar[str] = "node fails"

    message: str = "the connection was closed"

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"message": arguments.text}

    def does(self) -> str:
        return f"fails {self.node} in dbt: {self.message}"
