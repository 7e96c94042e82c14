"""A load of every hour that falls silent, and five ways to be told of it.

Most alerts wait for something bad to happen. A job that does not run at all does nothing bad: its
worker is away, or somebody has paused its deployment and forgotten it. Users find that proactive
automations are hard to get right (PrefectHQ/prefect #18838); each way here hears something else:

======================  ==========  ============  =============================
an alert when           a failure   worker away   paused, so no run is made
======================  ==========  ============  =============================
a run is Failed         yes         no            no
a run is Late           no          yes           no
none is Completed       by chance   by chance     by chance
none is, after one      yes         yes           yes
a watchdog finds none   yes         yes           yes
======================  ==========  ============  =============================
"""

import time
from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.events import DeploymentEventTrigger, Posture

SILENCE = timedelta(minutes=75)
"""An hour, and what a load may be late."""


@flow(name="hourly-load")
def hourly_load() -> None:
    """Five minutes of work."""
    time.sleep(300)


@flow(name="raise-alert")
def raise_alert() -> None:
    """Somebody is told, somehow."""


def when(*states: str) -> DeploymentEventTrigger:
    """A trigger for each run of the load that enters one of these states."""
    return DeploymentEventTrigger(
        expect={f"prefect.flow-run.{state}" for state in states},
        match_related={"prefect.resource.name": "hourly-load", "prefect.resource.role": "flow"},
    )


def when_silent(*, after_one: bool = True) -> DeploymentEventTrigger:
    """A dead man's switch: a trigger for 75 minutes in which no run of the load is Completed.

    `after_one`: the time begins with each run that is. Without that it is cut into windows, and once a
    run is Completed in one of them, Prefect makes no other before the next one would be over.

    For: it hears whatever there is, also what nobody has thought of.
    Against: it says so once, and then nothing before a run is Completed again.
    """
    completed = "prefect.flow-run.Completed"
    return DeploymentEventTrigger(
        after={completed} if after_one else set(),
        expect={completed},
        match_related={"prefect.resource.name": "hourly-load", "prefect.resource.role": "flow"},
        posture=Posture.Proactive,
        threshold=1,
        within=SILENCE,
    )


@flow(name="watch-load")
def watch_load() -> None:
    """Raise an alert if no run of the load has been Completed within the last 75 minutes.

    For: it is plain code, and looks at what is there.
    Against: it is one job more that may fall silent; let another worker run it.
    """
    since = datetime.now(UTC) - SILENCE
    with get_client(sync_client=True) as client:
        done = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["hourly-load"])),
            flow_run_filter=FlowRunFilter(
                end_time=FlowRunFilterEndTime(after_=since),
                state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Completed"])),
            ),
            limit=1,
        )
    if not done:
        raise_alert()
