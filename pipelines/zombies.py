"""Heartbeats and an automation that takes silence for death, for the dead and for the living.

A run whose machine is gone stays Running, for nobody is left to say anything else. So runs send
heartbeats, every thirty seconds here, and an automation waits after each for the next one, or for an
end. Prefect documents one with a patience of ninety seconds; here it also orders the run again. It
knows nothing of runs, and hears events alone (PrefectHQ/prefect #21932, #18653, #18838, #21734):

================================  ============  ============  ================
what happens                      90 s          10 min        10 min, any end
================================  ============  ============  ================
its machine is gone               found         found later   found later
its heartbeats are lost           run twice     left alone    left alone
its Completed comes late          run again     left alone    left alone
it ends under a name of its own   for ever      for ever      left alone
================================  ============  ============  ================

``raw.imports`` has a row for each time that the orders were imported.
"""

import time
from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.states import Completed, State

from pipelines.warehouse import connect

TAKES = 360  # seconds
BEAT = 30  # seconds, the shortest that Prefect allows

HEARTBEAT = "prefect.flow-run.heartbeat"
DOCUMENTED = {
    HEARTBEAT,
    *(f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")),
}
ANY = {"prefect.flow-run.*"}

IMPORTS = """
create schema if not exists raw;
create table if not exists raw.imports (began_at timestamptz, ended_at timestamptz);
"""


@flow(name="import-orders")
def import_orders() -> None:
    """Six minutes of work, which is wrong to do twice."""
    began = datetime.now(UTC)
    time.sleep(TAKES)
    with connect() as con:
        con.execute(IMPORTS)
        con.execute("insert into raw.imports values (?, now())", [began])


@flow(name="import-returns")
def import_returns() -> State:
    """Ten seconds to find that there are none, and a state that says so: Completed by type alone."""
    time.sleep(10)
    return Completed(name="No returns")


def when_silent(within: timedelta, expect: set[str]) -> EventTrigger:
    """A trigger for each run of which, `within` some time after a heartbeat, no event that it `expect`s
    is heard.
    """
    return EventTrigger(
        after={HEARTBEAT},
        expect=expect,
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


CRASH = ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat any more.")


def run_the_silent_again(within: timedelta, expect: set[str]) -> AutomationCore:
    """An automation that crashes such a run, and runs its deployment again.

    For: it needs nobody, and the machine that dies takes nothing of it away.
    Against: events may be lost or late, and the run of which none is heard may be well.
    """
    again = RunDeployment(source="inferred")
    silent = when_silent(within, expect)
    return AutomationCore(name="zombies", trigger=silent, actions=[CRASH, again])
