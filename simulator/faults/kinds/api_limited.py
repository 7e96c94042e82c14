"""The API limits the rate of requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.requests import ApiFault, Trouble


@dataclass(frozen=True, kw_only=True)
class ApiLimited(ApiFault):
    """Requests are answered with 429 Too Many Requests, and are to come again after `retry_after`,
    which is told in whole seconds. Prefect's client waits for so long, and somewhat longer.
    """

    kind: ClassVar[str] = "api limited"

    retry_after: timedelta = timedelta(seconds=30)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"retry_after": arguments.span()}

    def trouble(self) -> Trouble:
        return Trouble(status=429, headers={"Retry-After": str(self._seconds)})

    def does(self) -> str:
        return f"answers 429 (Retry-After: {self._seconds}) to requests to {self.target}"

    @property
    def _seconds(self) -> int:
        return ceil(self.retry_after.total_seconds())
