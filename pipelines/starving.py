"""A backfill whose runs wait for their deployment's limit, and a job that has nothing to do with them.

``backfill-month`` may run twice at a time, ``refresh-dashboard`` runs every five minutes, and their work
pool lets three runs pass. Two months are under way and the third slot is free, and yet the dashboard
is late. Users see it with more than two hundred waiting runs, the most that a poll brings
(PrefectHQ/prefect #19403); where a pool has a limit, a dozen do. For in each poll the server gives a
worker as many runs as the pool has slots free, the oldest that are due, of whatever deployment; only
when the worker takes one does the server look at the limit of its deployment, and refuses.

========================  =============================  ==================================
the limit of two is that  looked at                      the dashboard
========================  =============================  ==================================
of the deployment         when a run has been given      waits for those that are refused
of a queue                before runs are given          is punctual
of another pool           before runs are given          is punctual
========================  =============================  ==================================
"""

import time

from prefect import flow
from prefect.client.orchestration import get_client

POOL = "warehouse"
SLOTS = 3
AT_MOST = 2  # months at a time
MONTH, REFRESH = 60, 10  # seconds that they take


@flow(name="backfill-month")
def backfill_month(month: int) -> None:
    """A minute of work, of which the source bears two at a time."""
    time.sleep(MONTH)


@flow(name="refresh-dashboard")
def refresh_dashboard() -> None:
    """Ten seconds of work, for which somebody waits."""
    time.sleep(REFRESH)


def create_queue(name: str, limit: int | None) -> None:
    """A queue of the pool that is asked after the default one, with a limit or without."""
    with get_client(sync_client=True) as client:
        client.create_work_queue(name, work_pool_name=POOL, concurrency_limit=limit, priority=2)
