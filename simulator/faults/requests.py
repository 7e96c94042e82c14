"""Faults of the API: what goes wrong with a request of a flow run's process, or of a worker.

What the test itself asks (`deploy`, `trigger`, ...) always succeeds, and so do events, which leave by
another way than requests. Prefect's own client sees the trouble, and tries again as it always does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.counted import CountedFaults
from simulator.faults.plans import Fault, Injected, Stage, virtual
from simulator.instants import to_micros

FLOW, WORKER = "flow", "worker"

_METHODS = "GET|POST|PUT|PATCH|DELETE"
_ROUTE = re.compile(rf"(?:({_METHODS}) )?(/\S*)")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Trouble:
    """What becomes of a request that is struck. Durations in virtual seconds.

    It is `refused` before it arrives, or answered with a `status` in the server's place. Or else the
    server does what it asks, and its answer takes `seconds`, or is `lost`.
    """

    refused: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    lost: bool = False


@dataclass(frozen=True)
class Request:
    """A request that may be struck: `path` without the API's prefix, such as "/flow_runs/filter".

    `caller` is "flow" or "worker", `name` the flow's or the work pool's. `cycle` is the instant for
    which the outermost parent of the calling run was scheduled, or at which a worker asks.
    """

    method: str
    path: str
    caller: str
    name: str
    cycle: datetime
    run_id: UUID | None = None

    @property
    def route(self) -> str:
        """The method and the path with a star for each id: "POST /flow_runs/*/set_state"."""
        return f"{self.method} {_ID.sub('*', self.path)}"


@dataclass(frozen=True, kw_only=True)
class ApiFault(Fault):
    """A fault of Prefect's API. It strikes requests of flow runs' processes and of workers.

    Args:
        route: Which requests, by path without "/api", a star for any part of it, with a method if need
            be: "POST /flow_runs/*/set_state". None: all of them.
        caller: "flow" for requests of flow runs' processes alone, "worker" for those of workers.
        on: Numbers of the requests that it may strike, from 0 in their order, of those that it concerns.
    """

    route: str | None = None
    caller: str | None = None
    on: Collection[int] | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "route": arguments.optional(arguments.text),
        "caller": arguments.optional(arguments.one_word(FLOW, WORKER)),
        "on": arguments.optional(arguments.run_numbers),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.route is not None and _ROUTE.fullmatch(self.route) is None:
            raise SimulationError(
                f"route={self.route!r} must be a path, such as '/flow_runs/*' or"
                " 'POST /flow_runs/*/set_state'"
            )

    @property
    def target(self) -> str:
        return self.route or "the API"

    def check(self, stage: Stage) -> None:
        virtual(stage, self).requests.check(self)

    def begin(self, stage: Stage, injected: Injected) -> None:
        virtual(stage, self).requests.strike(injected)

    def concerns(self, request: Request) -> bool:
        """Whether it may strike a request by what it asks and who asks it."""
        return self.caller in (None, request.caller) and self.matches(request.method, request.path)

    def matches(self, method: str, path: str) -> bool:
        """Whether its route is that of a request."""
        if self.route is None:
            return True
        wanted, _, pattern = self.route.rpartition(" ")
        if wanted not in ("", method):
            return False
        expression = re.escape(pattern.rstrip("/")).replace(r"\*", ".*")
        return re.fullmatch(expression, path.rstrip("/")) is not None

    def trouble(self) -> Trouble:
        """What it does to a request."""
        raise NotImplementedError


Who = Callable[[str], tuple[str, str, datetime, UUID | None] | None]
"""Who asks for a path, of the calling code: caller, name, cycle and run; None for the test itself."""


class Requests(CountedFaults):
    """The faults of the API in one simulation, asked for each request.

    `who(path)` says who asks, `routes()` has the routes of the server, as "GET /flow_runs/{id}".
    """

    def __init__(
        self, now: Callable[[], datetime], who: Who, routes: Callable[[], Collection[str]]
    ) -> None:
        super().__init__(now)
        self._who = who
        self._routes = routes
        self.strikes = 0
        """How many requests have been struck."""

    def check(self, fault: ApiFault) -> None:
        """Raise SimulationError if no request could ever be of a fault's route."""
        if fault.route is not None and not any(_may_be(fault, one) for one in self._routes()):
            raise SimulationError(
                f"route={fault.route!r}: no request to Prefect's API could be of it"
            )

    def struck(self, method: str, path: str) -> tuple[Injected, Request, float] | None:
        """The fault that strikes a request now, what it is taken for, and its draw; None if none does.

        Called by whoever asks. It is drawn by who asks what, and for which cycle.
        """
        known = self._who(path) if self.faults else None
        if known is None:
            return None
        request = Request(method, path, *known)
        cycle = request.cycle.isoformat(timespec="seconds")
        found = self.strikes_now(request, f"request {request.name}/{cycle}/{request.route}")
        if found is None:
            return None
        self.strikes += 1
        injected, draw, _ = found
        return injected, request, draw

    def next_read(self, instant: int) -> int | None:
        """The first instant from `instant` on (microseconds) at which a flow's read of a run may be
        struck; None if none will be.
        """
        found = []
        for injected in self.faults:
            fault: ApiFault = injected.fault
            if fault.caller != WORKER and fault.matches("GET", f"/flow_runs/{UUID(int=0)}"):
                since, until = map(to_micros, fault.between) if fault.between else (0, None)
                if until is None or instant < until:
                    found.append(max(since, instant))
        return min(found, default=None)


def _may_be(fault: ApiFault, route: str) -> bool:
    """Whether a request to a route of the server may be of a fault's."""
    method, _, path = route.partition(" ")
    wanted, _, pattern = (fault.route or "").rpartition(" ")
    if wanted not in ("", method):
        return False
    ours, theirs = pattern.strip("/").split("/"), path.strip("/").split("/")
    return _meet(ours, theirs)


def _meet(ours: list[str], theirs: list[str]) -> bool:
    """Whether a path can be both; a star of ours stands for one part or more."""
    if not ours or not theirs:
        return not ours and not theirs
    first = ours[0]
    if first == "*":
        return any(_meet(ours[1:], theirs[n:]) for n in range(1, len(theirs) + 1))
    same = theirs[0].startswith("{") or re.fullmatch(
        re.escape(first).replace(r"\*", ".*"), theirs[0]
    )
    return bool(same) and _meet(ours[1:], theirs[1:])
