"""A parent with retries: which of its steps are done again, because a later one failed?

``extract`` takes half an hour and costs money, ``publish`` fails at its first attempt, and the parent is
retried. Users expect that only what failed is repeated (PrefectHQ/prefect #9814); what is repeated is
whatever has no result that the second attempt can find:

==============================  =======================================
``extract`` is                  at the second attempt of its parent
==============================  =======================================
a task                          runs again
a subflow                       runs again, as a new flow run (#23152)
a subflow with its result kept  is not run: its result is read
a task with its result kept     is not run: its result is read
==============================  =======================================

``raw.extracts`` has a row for each time that the source was read.
"""

import time

from prefect import flow, task

from pipelines.warehouse import connect

TAKES = 1800  # seconds

EXTRACTS = """
create schema if not exists raw;
create table if not exists raw.extracts (read_at timestamptz, orders integer);
"""


def read_source() -> int:
    """Half an hour of reading; returns how many orders there are."""
    time.sleep(TAKES)
    with connect() as con:
        con.execute(EXTRACTS)
        con.execute("insert into raw.extracts values (now(), 100)")
    return 100


@task(name="extract-task")
def extract_task() -> int:
    return read_source()


@task(name="extract-task-kept", persist_result=True)
def extract_task_kept() -> int:
    return read_source()


@flow(name="extract-flow")
def extract_flow() -> int:
    return read_source()


@flow(name="extract-flow-kept", persist_result=True)
def extract_flow_kept() -> int:
    return read_source()


@flow(name="publish")
def publish(orders: int) -> None:
    """What fails at its first attempt."""


@flow(name="over-a-task", retries=1, retry_delay_seconds=60)
def over_a_task() -> None:
    """For: nothing to think of. Against: each retry reads the source again."""
    publish(extract_task())


@flow(name="over-a-kept-task", retries=1, retry_delay_seconds=60)
def over_a_kept_task() -> None:
    """For: what was read stays read. Against: the result must lie where the retry finds it."""
    publish(extract_task_kept())


@flow(name="over-a-subflow", retries=1, retry_delay_seconds=60)
def over_a_subflow() -> None:
    """For: a flow run of its own to look at. Against: it is Completed, and yet it runs once more."""
    publish(extract_flow())


@flow(name="over-a-kept-subflow", retries=1, retry_delay_seconds=60)
def over_a_kept_subflow() -> None:
    """For: a flow run of its own, run once. Against: as for a task."""
    publish(extract_flow_kept())
