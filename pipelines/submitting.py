"""A subflow in a task, and the task submitted: several children at once from a sync parent.

A plain subflow call blocks. Wrapped in a task it can be handed to a task runner, and four sources
are imported at once. ``import-source`` fetches one source's rows and lands them in ``raw.sources``;
the parents add what they took notice of to ``marts.arrivals``.

Threads are right for children that wait (APIs, databases, dbt's own threads): they share one
process, and Python runs one of them at a time. Children that compute want processes.
"""

from random import Random
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.futures import as_completed
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from pipelines.warehouse import connect, current_batch, land_rows

SOURCES = ["orders", "payments", "touches", "products"]

ARRIVALS = """
create schema if not exists marts;
create table if not exists marts.arrivals (
    source varchar, batch_id varchar, taken_at timestamptz
);
"""


@task(name="fetch-rows")
def fetch_rows(source: str, batch_id: str) -> list[dict[str, Any]]:
    """One source's rows of a batch."""
    rng = Random(f"{source} {batch_id}")
    return [{"source": source, "amount": rng.randint(1, 100)} for _ in range(5)]


@flow(name="import-source")
def import_source(source: str, batch_id: str) -> str:
    """Fetch one source's rows of a batch and land them; returns the source."""
    land_rows("raw.sources", fetch_rows(source, batch_id), f"{batch_id} {source}")
    return source


@task(name="import-in-task")
def import_in_task(source: str, batch_id: str) -> str:
    """The subflow, in a task that can be submitted."""
    return import_source(source, batch_id)


@task
def announce(batch_id: str) -> None:
    """Say that a batch is on its way."""
    get_run_logger().info("importing %s", batch_id)


def take(source: str, batch_id: str) -> None:
    """Add a source to ``marts.arrivals``: its rows are there and can be used."""
    with connect() as con:
        con.execute(ARRIVALS)
        con.execute("insert into marts.arrivals values (?, ?, now())", [source, batch_id])


@flow(name="parent-submit-in-order", task_runner=ThreadPoolTaskRunner(max_workers=4))
def parent_submit_in_order() -> None:
    """Submit all, then take the results one by one in the order of submission.

    For: as long as the slowest, not as all together; the order is the same every day.
    Against: a result that is there has to wait for those before it, and so has a failure.
    """
    batch_id = current_batch()
    futures = [import_in_task.submit(source, batch_id) for source in SOURCES]
    for future in futures:
        take(future.result(), batch_id)


@flow(name="parent-submit-as-completed", task_runner=ThreadPoolTaskRunner(max_workers=4))
def parent_submit_as_completed() -> None:
    """Submit all, and take the results as they finish.

    For: each result is used as soon as it is there, and a failure is seen when it happens.
    Against: the order differs from day to day. A failure ends the parent while others are under
    way: they go on and land their rows, but nobody takes them.
    """
    batch_id = current_batch()
    futures = [import_in_task.submit(source, batch_id) for source in SOURCES]
    for future in as_completed(futures):
        take(future.result(), batch_id)


@flow(name="parent-submit-and-leave", task_runner=ThreadPoolTaskRunner(max_workers=2))
def parent_submit_and_leave() -> None:
    """Submit all, and look at no future.

    Against: the parent is Completed whatever happens. What is under way by then comes to its end,
    unseen; what is still in the queue for the two threads is dropped without a trace.
    """
    batch_id = current_batch()
    for source in SOURCES:
        import_in_task.submit(source, batch_id)
    announce(batch_id)


@flow(name="parent-submit-to-processes", task_runner=ProcessPoolTaskRunner(max_workers=4))
def parent_submit_to_processes() -> None:
    """As in order, in processes of their own.

    For: children that compute really run at the same time.
    Against: arguments and results are pickled, every process imports everything anew, and the
    warehouse is a file that only one process may write.
    """
    batch_id = current_batch()
    futures = [import_in_task.submit(source, batch_id) for source in SOURCES]
    for future in futures:
        take(future.result(), batch_id)
