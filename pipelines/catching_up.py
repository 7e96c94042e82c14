"""A job of every half an hour, and what it does when its worker comes back after hours.

``refresh-stock`` asks an API for the stock as it is now. Nobody needs the stock of three hours ago, and
yet Prefect keeps every run that no worker was there to take: it is Late, and is run as soon as there is
a worker. Users ask for a way to run only the newest one (PrefectHQ/prefect #15886, #19313); there is no
such option, and this is what people do:

- ``refresh-stock-once``: each run looks whether a later one is due, and leaves it to that;
- a concurrency limit of one on the deployment, which queues the others, or cancels them;
- an automation that cancels what is Late, as Prefect's guide says.

``raw.calls`` has a row for each request to the API, for the cycle that it was made for.
"""

import time
from datetime import UTC, datetime, timedelta

import prefect.runtime
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import CancelFlowRun
from prefect.states import Completed, State

from pipelines.warehouse import connect

EVERY = timedelta(minutes=30)
TAKES = 60  # seconds

CALLS = """
create schema if not exists raw;
create table if not exists raw.calls (cycle timestamptz, began_at timestamptz, ended_at timestamptz);
"""


def ask_for_stock() -> None:
    """One request, for the stock as it is when it is asked."""
    began = datetime.now(UTC)
    time.sleep(TAKES)
    with connect() as con:
        con.execute(CALLS)
        cycle = prefect.runtime.flow_run.scheduled_start_time
        con.execute("insert into raw.calls values (?, ?, now())", [cycle, began])


def is_outdated() -> bool:
    """Whether a later run of the same deployment is due by now, whatever has become of it."""
    mine = prefect.runtime.flow_run.scheduled_start_time
    due = FlowRunFilterExpectedStartTime(
        after_=mine + timedelta(seconds=1), before_=datetime.now(UTC)
    )
    with get_client(sync_client=True) as client:
        later = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(expected_start_time=due),
            deployment_filter=DeploymentFilter(
                id=DeploymentFilterId(any_=[prefect.runtime.deployment.id])
            ),
            limit=1,
        )
    return bool(later)


@flow(name="refresh-stock")
def refresh_stock() -> None:
    """Ask, whenever one is told to."""
    ask_for_stock()


@flow(name="refresh-stock-once")
def refresh_stock_once() -> State | None:
    """Ask, unless a later run is there to do it.

    For: whatever has piled up is through in a moment, and the newest run does the work.
    Against: each run that has piled up still costs a process, and a question to the API of Prefect.
    """
    if is_outdated():
        return Completed(name="Skipped", message="A later run is due.")
    ask_for_stock()
    return None


def cancel_what_is_late(deployment: str) -> AutomationCore:
    """An automation that cancels the runs of a deployment, by its name, as soon as they are Late.

    For: nothing piles up, and nothing need be changed in the flow.
    Against: when the worker is back, nothing runs before the next cycle.
    """
    late = EventTrigger(
        expect={"prefect.flow-run.Late"},
        match_related={"prefect.resource.name": deployment, "prefect.resource.role": "deployment"},
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )
    return AutomationCore(name="cancel-late", trigger=late, actions=[CancelFlowRun()])
