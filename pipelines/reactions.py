"""React to how another run ended, without a parent: automations.

``land-sales`` lands a batch in two parts. Three deployments react to its end, each by a trigger of
its own; Prefect's server watches the events and orders the runs::

    transform_sales.deploy("dev", triggers=[on_completion()], ...)
    cleanup_sales.deploy("dev", triggers=[on_bad_end(SCHEDULED)], ...)
    raise_alert.deploy("dev", triggers=[on_bad_end(ABOUT)], ...)

Values in double braces are filled in from the run that the event is about. One that stands alone is
written as JSON, which no datetime can be: without ``| string`` the run is never ordered, and only
an event of the server tells (``prefect.automation.action.failed``).

``transform-sales`` brings everything that has landed into ``marts.sales``. So half a batch that
nobody has cleaned up ends in the mart, with the next run that ends well.
"""

from datetime import datetime
from random import Random
from typing import Any

import prefect.runtime
from prefect import flow, task
from prefect.events import DeploymentEventTrigger

from pipelines.warehouse import Row, batch_of, connect, current_batch, land_rows

PARTS = 2
ROWS = 5  # in each part

BAD_ENDS = {"Failed", "TimedOut", "Crashed", "Cancelled"}  # what else a run may end as

SCHEDULED = {"scheduled": "{{ flow_run.expected_start_time | string }}"}
ABOUT = SCHEDULED | {"run": "{{ flow_run.name }}", "state": "{{ flow_run.state.name }}"}

MARTS = """
create schema if not exists marts;
create table if not exists marts.sales (batch_id varchar, amount integer, built_at timestamptz);
create table if not exists marts.alerts (
    batch_id varchar, run varchar, state varchar, raised_at timestamptz
);
"""


# --- what reacts to what --------------------------------------------------------------------------


def on_completion() -> DeploymentEventTrigger:
    """When ``land-sales`` has ended well."""
    return DeploymentEventTrigger(
        expect={"prefect.flow-run.Completed"}, match_related={"prefect.resource.name": "land-sales"}
    )


def on_bad_end(
    parameters: dict[str, Any], ends: frozenset[str] = frozenset(BAD_ENDS)
) -> DeploymentEventTrigger:
    """When ``land-sales`` has ended in one of the states `ends`; its reaction gets `parameters`.

    The event is named after the state's name, not after its type. A trigger for Failed alone hears
    of no run that was stopped by its time-out, and of none whose process has died.
    """
    return DeploymentEventTrigger(
        expect={f"prefect.flow-run.{state}" for state in ends},
        match_related={"prefect.resource.name": "land-sales"},
        parameters=parameters,
    )


# --- the flows ------------------------------------------------------------------------------------


@task(name="fetch-part")
def fetch_part(batch_id: str, part: int) -> list[Row]:
    """One part of a batch."""
    rng = Random(f"{batch_id} {part}")
    return [{"part": part, "amount": rng.randint(1, 100)} for _ in range(ROWS)]


@flow(name="land-sales", timeout_seconds=1800)
def land_sales() -> None:
    """Land a batch, part by part."""
    batch_id = current_batch()
    for part in range(1, PARTS + 1):
        land_rows("raw.parts", fetch_part(batch_id, part), f"{batch_id} {part}")


@flow(name="transform-sales")
def transform_sales() -> None:
    """Bring everything that has landed into ``marts.sales``."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "create or replace table marts.sales as "
            "select split_part(batch_id, ' ', 1) as batch_id, amount, now() as built_at "
            "from raw.parts"
        )


@flow(name="cleanup-sales")
def cleanup_sales(scheduled: datetime) -> None:
    """Remove what has landed of the batch that was scheduled for an instant."""
    with connect() as con:
        con.execute(
            "delete from raw.parts where split_part(batch_id, ' ', 1) = ?", [batch_of(scheduled)]
        )


@flow(name="raise-alert")
def raise_alert(scheduled: datetime, run: str, state: str) -> None:
    """Add a line to ``marts.alerts``; a mail or a message to the team in real life."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "insert into marts.alerts values (?, ?, ?, now())", [batch_of(scheduled), run, state]
        )


@flow(name="land-sales-with-care")
def land_sales_with_care() -> None:
    """The same in one parent, with ``except`` in place of triggers.

    For: it stands in one place, needs no server-side definition, and can be read and tested.
    Against: it lives in the process that it watches over. If that dies, nobody reacts.

    Automations, for their part, live in the server and outlast every process, and can be added
    without touching what they react to. Against them: nothing links a reaction to its cause but the
    time and what the parameters say, and each has to name every end that it is for.
    """
    started = {
        "scheduled": prefect.runtime.flow_run.scheduled_start_time,
        "run": prefect.runtime.flow_run.name,
    }
    try:
        land_sales()
    except Exception as error:
        cleanup_sales(started["scheduled"])
        raise_alert(**started, state=type(error).__name__)
        raise
    transform_sales()
