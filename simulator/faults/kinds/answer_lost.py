"""An answer of the API is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simulator.faults.requests import ApiFault, Trouble


@dataclass(frozen=True, kw_only=True)
class AnswerLost(ApiFault):
    """The API does what it is asked to, and its answer never arrives. Prefect's client asks again, for
    what has been done already.
    """

    kind: ClassVar[str] = "answer lost"

    def trouble(self) -> Trouble:
        return Trouble(lost=True)

    def does(self) -> str:
        return f"loses answers to requests to {self.target}"
