"""A worker dies between taking a run and starting it: the run stays Pending, and holds the only slot.

``sync-repository`` must never run twice at a time, so its runs have one slot. When a worker is killed
after it has told the server "Pending", and before it has made a process, nobody is left to say anything
more of that run. A worker that is started anew does not take it, for it is no longer Scheduled
(PrefectHQ/prefect #18933). What becomes of the next cycles depends on whose slot it is:

- a work pool, or a queue, counts what is Pending or Running, and goes on counting;
- a deployment's limit is a lease, which ends if nobody renews it.

``crash_what_stays_pending`` is an automation that ends such a run, and with it the wait.
"""

import time
from datetime import timedelta

from prefect import flow
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import ChangeFlowRunState

TAKES = 300  # seconds
PATIENCE = timedelta(minutes=10)  # longer than any process takes to begin


@flow(name="sync-repository")
def sync_repository() -> None:
    """Five minutes of work, which must not be done twice at a time."""
    time.sleep(TAKES)


def crash_what_stays_pending(deployment: str) -> AutomationCore:
    """An automation that crashes the runs of a deployment, by its name, that are Pending and do not
    become anything else within ten minutes.

    For: it needs nobody, and works whatever the run is waiting for.
    Against: a process that takes longer than that to begin is crashed, too, and goes on.
    """
    stuck = EventTrigger(
        after={"prefect.flow-run.Pending"},
        expect={
            f"prefect.flow-run.{name}"
            for name in ("Running", "Failed", "Crashed", "Cancelled", "Completed", "Scheduled")
        },
        match_related={"prefect.resource.name": deployment, "prefect.resource.role": "deployment"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=PATIENCE,
    )
    crash = ChangeFlowRunState(state=StateType.CRASHED, message="It was Pending for too long.")
    return AutomationCore(name="crash-pending", trigger=stuck, actions=[crash])
