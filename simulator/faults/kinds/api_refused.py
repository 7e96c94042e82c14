"""The API does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.requests import ApiFault, Trouble


@dataclass(frozen=True, kw_only=True)
class ApiRefused(ApiFault):
    """Connections to the API are refused, as while a server restarts. A client of Prefect's that has
    reached it before tries again; one that has not gives up at once.
    """

    kind: ClassVar[str] = "api refused"

    def trouble(self) -> Trouble:
        return Trouble(refused=True)

    def does(self) -> str:
        return f"refuses connections to {self.target}"
