"""The API is slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.requests import ApiFault, Trouble


@dataclass(frozen=True, kw_only=True)
class ApiSlow(ApiFault):
    """The API does what it is asked to, and its answer takes `by`. One that takes longer than the
    client waits (PREFECT_API_REQUEST_TIMEOUT, a minute) is lost to it.
    """

    kind: ClassVar[str] = "api slow"

    by: timedelta = timedelta(seconds=10)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"by": arguments.span(above_zero=True)}

    def trouble(self) -> Trouble:
        return Trouble(seconds=self.by.total_seconds())

    def does(self) -> str:
        return f"lets answers to requests to {self.target} take {self.by}"
