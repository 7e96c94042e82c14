"""The API answers with an error of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.requests import ApiFault, Trouble


@dataclass(frozen=True, kw_only=True)
class ApiError(ApiFault):
    """Requests are answered with `status`, 500 to 599, and nothing is done. Prefect's client tries
    again after 502 and 503, and takes any other for final.
    """

    kind: ClassVar[str] = "api error"

    status: int = 503

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"status": arguments.whole(500, 599)}

    def trouble(self) -> Trouble:
        return Trouble(status=self.status)

    def does(self) -> str:
        return f"answers {self.status} to requests to {self.target}"
