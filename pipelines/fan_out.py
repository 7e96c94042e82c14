"""Deployments fanned out through tasks: each child has its own process, each call its own thread.

`run_deployment` blocks until the child's end. In submitted tasks several of them block at the same
time. The child is ``import-source`` of `pipelines.submitting`, as a deployment.

With ``as_subflow=True``, the default, a child is tied to the parent's run: it is drawn inside it,
and a parent that is cancelled takes its children along. With ``as_subflow=False`` it is a run like
any other, and nothing leads from one to the other.
"""

from prefect import flow, task
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception
from prefect.task_runners import ThreadPoolTaskRunner

from pipelines.submitting import SOURCES, import_source  # noqa: F401  the child
from pipelines.warehouse import current_batch

CHILD = "import-source/dev"


@task(name="run-import", task_run_name="import {source}")
def run_import(source: str, batch_id: str, as_subflow: bool) -> FlowRun:
    """Run one import to its end and return its run, or raise what it failed of."""
    flow_run = run_deployment(
        CHILD, parameters={"source": source, "batch_id": batch_id}, as_subflow=as_subflow
    )
    raise_state_exception(flow_run.state)
    return flow_run


@flow(name="parent-one-by-one")
def parent_one_by_one() -> None:
    """One deployment after another.

    For: simple, and the first failure ends it.
    Against: the time of all together, and a wait for the worker's poll before each.
    """
    batch_id = current_batch()
    for source in SOURCES:
        run_import(source, batch_id, as_subflow=True)


@flow(name="parent-fan-out", task_runner=ThreadPoolTaskRunner(max_workers=4))
def parent_fan_out(as_subflow: bool = True) -> None:
    """All deployments at once, each in a task; the parent fails if one of them does.

    For: the time of the slowest; a task for each child to retry, to limit and to look at.
    Against: a thread of the parent for each child that is under way.
    """
    batch_id = current_batch()
    futures = [run_import.submit(source, batch_id, as_subflow) for source in SOURCES]
    for future in futures:
        future.wait()
    for future in futures:
        future.result()
