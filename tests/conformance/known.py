"""The differences that are known, each with the reason why it stays."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.conformance.case import Case
from tests.conformance.compare import Difference


@dataclass(frozen=True)
class Known:
    """Differences of a case in one aspect (a pattern), and why they are not mended."""

    case: str
    what: str
    reason: str


KNOWN: list[Known] = []


def excused(case: Case, difference: Difference) -> Known | None:
    """The entry that a difference is listed under."""
    for one in KNOWN:
        if one.case == case.name and fnmatchcase(difference.what, one.what):
            return one
    return None
