"""Makes a program that differs smaller, for as long as it differs in the same way.

Hypothesis would run one candidate after another, some hundreds of them, and a program takes the live
engine seconds of real time. So the tree itself is cut: all programs that are one step smaller run at
once, on one live server, and the smallest that still differs is the next one to be cut. A tree of a
dozen statements takes a handful of such rounds.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.compare import Difference
from tests.fuzz.comparing import kinds_of
from tests.fuzz.tree import Node, smaller

ROUNDS = 6
"""After so many rounds what there is is small enough, or does not shrink."""

CANDIDATES = 16
"""Of a round: the smallest ones first."""

Compared = Callable[[dict[str, Node]], dict[str, list[Difference]]]


def shrunk(
    name: str, program: Node, found: list[Difference], compared: Compared
) -> tuple[Node, list[Difference]]:
    """The smallest program found that differs in something in which this one does, and in what."""
    for number in range(ROUNDS):
        candidates = sorted(dict.fromkeys(smaller(program)), key=lambda node: node.size)
        tried = {
            f"{name}_{number}_{place}": one
            for place, one in enumerate([one for one in candidates if one.body][:CANDIDATES])
        }
        differing = compared(tried) if tried else {}
        left = [one for one in tried if kinds_of(differing[one]) & kinds_of(found)]
        if not left:
            break
        best = min(left, key=lambda one: tried[one].size)
        program, found = tried[best], differing[best]
    return program, found
