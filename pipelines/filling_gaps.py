"""Hours that were not closed are closed later, in their order, while the schedule goes on.

``close-hour`` takes the balance of the hour before and adds what has moved, so an hour that is closed
before its turn has a wrong balance, and so has each later one. The deployment was paused, five hours
are missing, and somebody orders them at ten to the next one. Whether that one waits for its turn depends
on what holds them back:

=============================  =================  ======================================
                               one at a time      the hour of the schedule
=============================  =================  ======================================
nothing                        no                 on time
a limit of the deployment      yes                before some of the gap
a limit of the queue           yes                after the gap, late, and right
a parent that orders them      yes                on time, before some of the gap
=============================  =================  ======================================

A run that the limit of its deployment refuses is due again half a minute later, and so comes after those
that are due meanwhile (PrefectHQ/prefect #23084). A queue with a limit gives away nothing that may not
start, and its runs keep their places.
"""

import time
from datetime import datetime, timedelta

import prefect.runtime
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.warehouse import connect

POOL, QUEUE = "closing", "one at a time"
TAKES = 300  # seconds
MOVED = 1  # in each hour
HOUR = timedelta(hours=1)

BALANCES = """
create schema if not exists marts;
create table if not exists marts.balances (hour timestamptz, balance integer, closed_at timestamptz);
"""


@flow(name="close-hour")
def close_hour(hour: datetime | None = None) -> None:
    """Close an hour, or that for which it is scheduled, upon the last one before it that is closed."""
    hour = hour or prefect.runtime.flow_run.scheduled_start_time
    with connect() as con:
        con.execute(BALANCES)
        [(before,)] = con.execute(
            "select coalesce(max_by(balance, hour), 0) from marts.balances where hour < ?", [hour]
        ).fetchall()
    time.sleep(TAKES)
    with connect() as con:
        con.execute("insert into marts.balances values (?, ?, now())", [hour, before + MOVED])


@flow(name="fill-gap")
def fill_gap(first: datetime, hours: int) -> None:
    """Close so many hours from the first one on, one after the other.

    For: it needs no limit, and stops where an hour fails.
    Against: it holds back its own hours alone.
    """
    for number in range(hours):
        ordered = run_deployment("close-hour/dev", parameters={"hour": first + number * HOUR})
        raise_state_exception(ordered.state)


def create_queue() -> None:
    """The queue with a limit of one."""
    with get_client(sync_client=True) as client:
        client.create_work_queue(QUEUE, work_pool_name=POOL, concurrency_limit=1)
