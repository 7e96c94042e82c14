"""What a fault of the API does to one request, in the terms of the client that asks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

import httpx
from fastapi.routing import APIRoute
from prefect.context import FlowRunContext
from prefect.server.api.server import API_ROUTERS

from simulator.faults import Requests
from simulator.history import Journal, Note
from simulator.process import current_process

_RUN = re.compile(r"/flow_runs/([0-9a-f-]{36})(?:/|$)")


@dataclass(frozen=True)
class Struck:
    """A request that a fault strikes.

    `instead` is what is answered in the server's place. Or else the server answers, and its answer is
    underway for `seconds` of virtual time; `lost` is raised in its stead if it never arrives.
    """

    instead: httpx.Response | None = None
    seconds: float = 0.0
    lost: httpx.TransportError | None = None

    def arrived(self, response: httpx.Response) -> httpx.Response:
        """The server's answer. Raises what the client sees of one that is lost."""
        if self.lost is not None:
            raise self.lost
        return response


class RequestFaults:
    """Strikes requests, and notes it."""

    def __init__(self, requests: Requests, journal: Journal) -> None:
        self._requests = requests
        self._journal = journal

    def struck(self, request: httpx.Request) -> Struck | None:
        """What strikes a request that is about to be sent, by the code that sends it.

        Raises httpx.ConnectError if it is refused.
        """
        path = request.url.path.removeprefix("/api")
        found = self._requests.struck(request.method, path)
        if found is None:
            return None
        injected, asked, draw = found
        trouble = injected.fault.trouble()
        note = self._journal.note(
            "fault",
            str(injected.fault),
            run_id=asked.run_id,
            details={
                "fault": injected.number,
                "target": injected.fault.target,
                "draw": draw,
                "request": f"{request.method} {path}",
                "caller": asked.caller,
                "name": asked.name,
            },
        )
        if trouble.refused:
            error = httpx.ConnectError("[Errno 111] Connection refused", request=request)
            raise self._known(error, note)
        if trouble.status is not None:
            said = {"exception_message": HTTPStatus(trouble.status).phrase}
            answer = httpx.Response(
                trouble.status, headers=dict(trouble.headers), json=said, request=request
            )
            self._journal.mark(answer, note)
            return Struck(answer)
        patience = request.extensions.get("timeout", {}).get("read")
        if patience is not None and trouble.seconds > patience:
            late = httpx.ReadTimeout("The read operation timed out", request=request)
            return Struck(seconds=patience, lost=self._known(late, note))
        if trouble.lost:
            gone = httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            )
            return Struck(seconds=trouble.seconds, lost=self._known(gone, note))
        return Struck(seconds=trouble.seconds)

    def _known(self, error: httpx.TransportError, note: Note) -> httpx.TransportError:
        self._journal.mark(error, note)
        return error


def asking(
    worker: Callable[[], str | None],
    cycle: Callable[[UUID | None], datetime],
) -> Callable[[str], tuple[str, str, datetime, UUID | None] | None]:
    """Who asks the server, of a request by its path: the caller, its name, its cycle, and the run.

    `worker()` names the work pool whose worker the calling thread is; `cycle(run_id)` the instant for
    which a run's outermost parent was scheduled.
    """

    def who(path: str) -> tuple[str, str, datetime, UUID | None] | None:
        named = _RUN.match(path)
        run_id = UUID(named[1]) if named else None
        pool = worker()
        if pool is not None:
            return "worker", pool, cycle(run_id), run_id
        process = current_process()
        if process is None:
            return None
        context = FlowRunContext.get()
        run = None if context is None else context.flow_run
        if run is not None:
            run_id = run.id
        elif run_id is None and (own := os.environ.get("PREFECT__FLOW_RUN_ID")):
            run_id = UUID(own)  # it has not got to its flow yet
        return "flow", process.thread.name.partition("/")[0], cycle(run_id), run_id

    return who


def routes() -> set[str]:
    """What the API can be asked: each method and path, such as "GET /flow_runs/{id}"."""
    found = [
        route for router in API_ROUTERS for route in router.routes if isinstance(route, APIRoute)
    ]
    return {f"{method} {route.path}" for route in found for method in route.methods or ()}
