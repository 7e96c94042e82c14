"""Differences that are known, each with the construct that shows it and the reason why it stays."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fuzz.tree import Node


@dataclass(frozen=True)
class Known:
    """What goes otherwise in programs with a construct, and why it is not mended."""

    construct: str
    reason: str


KNOWN = [
    Known(
        construct="socket that answers",
        reason=(
            "A thread of a flow sleeps before it answers on a socket, and another thread of the same flow"
            " waits for that answer with a time-out: the one that waits holds the clock, as for any real"
            " peer, so the sleep cannot end before the time-out has come. Live the answer comes in time,"
            " on the virtual engine the wait times out. Not mended yet; a peer in a process of its own is"
            " not concerned."
        ),
    ),
]


def known_in(program: Node) -> list[str]:
    """The constructs of a program that are listed here."""
    kinds = {node.kind for node in program.nodes()}
    return [one.construct for one in KNOWN if one.construct in kinds]
