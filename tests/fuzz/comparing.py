"""What differs between the two engines: what conformance compares, and notes, logs, files and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.conformance.compare import Difference, compare
from tests.fuzz.engines import Both, case_of

BUSY = 6
"""How much longer than all its waits to be Running together a real program may take: to be Running costs
a request or two, and a run some ten of them. That is how busy a machine is, and not what is compared:
spans that matter are noted by the programs themselves.
"""


def differences(name: str, concurrent: bool, both: Both) -> list[Difference]:
    """All that differs, nothing if the engines agree."""
    virtual, live = both
    busy = BUSY * _overhead(live.observed.runs)
    found = compare(case_of(name, concurrent), virtual.observed, live.observed, busy)
    if virtual.observed.error or live.observed.error:
        return found
    return [*found, *_left(both)]


def _left(both: Both) -> Iterator[Difference]:
    virtual, live = both
    yield from _lines("logs", virtual.logs, live.logs)
    for name in sorted(virtual.left.keys() | live.left.keys()):
        if name not in virtual.left or name not in live.left:
            yield Difference(name, "is there", name in virtual.left, name in live.left)
        else:
            yield from _lines(name, virtual.left[name], live.left[name])


def _lines(where: str, virtual: list[str], live: list[str]) -> Iterator[Difference]:
    if virtual != live:
        ours, theirs = Counter(virtual), Counter(live)
        apart = [
            sorted((one - other).elements()) for one, other in ((ours, theirs), (theirs, ours))
        ]
        yield Difference(where, "lines", *(apart if any(apart) else (virtual, live)))


def kinds_of(found: list[Difference]) -> set[str]:
    """What is different, whatever the values: a smaller program must show some of it again."""
    return {
        one.what if one.what != "lines" else ("logs" if one.where == "logs" else "left")
        for one in found
    }


def _overhead(runs: list[dict[str, Any]]) -> float:
    """Seconds that a program's runs and tasks needed from being Pending to being Running."""
    return sum(sum(map(_waits, [run, *run["tasks"]])) + _overhead(run["children"]) for run in runs)


def _waits(one: dict[str, Any]) -> float:
    return sum(
        after["at"] - before["at"]
        for before, after in pairwise(one["states"])
        if (before["name"], after["name"]) == ("Pending", "Running")
    )
