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
        construct="HTTP",
        reason=(
            "A flow serves HTTP from a thread of its own (`ThreadingHTTPServer.serve_forever`) and asks"
            " itself: the server's thread looks for requests every tenth of a second of virtual time,"
            " and on the virtual engine that time may run on to the time-out of the client (httpx:"
            " five seconds) before the answer is read. Not mended yet; a server in a process of its"
            " own is not concerned."
        ),
    ),
    Known(
        construct="pool of multiprocessing.dummy",
        reason=(
            "`multiprocessing.dummy.Pool` in a flow may end in `ClockStalled` on the virtual engine,"
            " where live Prefect completes. Not mended yet; `ThreadPoolExecutor` does the same work"
            " and is not concerned."
        ),
    ),
]


def excused(program: Node) -> Known | None:
    """The entry under which a program is listed that differs, and could not be made smaller."""
    kinds = {node.kind for node in program.nodes()}
    return next((one for one in KNOWN if one.construct in kinds), None)
