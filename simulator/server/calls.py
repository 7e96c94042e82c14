"""Notes which line of the user's code has called a flow run, and which has asked for its end."""

from __future__ import annotations

import json
import re
import sys
from types import FrameType
from uuid import UUID

import httpx
from prefect.context import TaskRunContext

from simulator.history import Journal
from simulator.places import place_of_call, users_frame

_CREATE = re.compile(r"/api/(flow_runs/|deployments/[^/]+/create_flow_run)$")
_SET_STATE = re.compile(r"/api/flow_runs/([^/]+)/set_state$")


class Calls:
    """Looks at what clients have asked of the server, on the thread that has asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def saw(self, request: httpx.Request, response: httpx.Response) -> None:
        """Take note of an answered request, if it made a run or asked for the end of one."""
        if request.method != "POST" or not response.is_success:
            return
        path = request.url.path
        if _CREATE.match(path):
            how = "run_deployment" if path.endswith("create_flow_run") else _how(sys._getframe())
            run_id = UUID(json.loads(response.content)["id"])
            within = TaskRunContext.get()
            task_run_id = None if within is None else within.task_run.id
            self._journal.here("call", how, run_id=run_id, task_run_id=task_run_id)
        elif asked := _SET_STATE.match(path):
            state = json.loads(request.content)["state"]
            if state["type"] in ("CANCELLING", "CANCELLED") and not _of_an_engine(sys._getframe()):
                name = state.get("name") or state["type"].title()
                self._journal.here("order", name, run_id=UUID(asked[1]))


def _how(innermost: FrameType) -> str:
    """How a flow is called, as its frames tell: whether its state is returned."""
    frame: FrameType | None = innermost
    while frame is not None:
        if frame.f_code.co_name in ("run_flow", "run_flow_sync", "run_flow_async"):
            returned = frame.f_locals.get("return_type")
            return "return_state=True" if returned == "state" else "subflow"
        frame = frame.f_back
    return "subflow"


def _of_an_engine(innermost: FrameType) -> bool:
    """Whether it is the run's own engine, or its worker, that reports a state."""
    asking = users_frame(innermost) if place_of_call(innermost) else None
    frame: FrameType | None = innermost
    while frame is not None and frame is not asking:
        if frame.f_code.co_filename.endswith(_REPORTING):
            return True
        frame = frame.f_back
    return False


_REPORTING = ("/prefect/flow_engine.py", "/prefect/runner/_state_proposer.py")
