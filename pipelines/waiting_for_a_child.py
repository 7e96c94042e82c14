"""Wait for a child's end: raise how it ended or not, with the child's log lines in the parent.

``land-parts`` lands a batch of the sales in parts and logs each of them. The parents run it as a
deployment. `run_deployment` waits, and tells nothing before the end; `follow` waits as well, and
repeats the child's log lines in the caller's own log while it does.
"""

import time
from datetime import datetime
from random import Random
from uuid import UUID

from prefect import flow, get_client, get_run_logger, task
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, LogFilterTimestamp
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import LogSort
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.warehouse import current_batch, land_rows

CHILD = "land-parts/dev"
POLL_INTERVAL = 20  # seconds between two questions to the API
GRACE = 5  # seconds to wait for the last lines of a log


@task(name="land-part")
def land_part(batch_id: str, part: int) -> int:
    """Land one part of a batch; returns how many rows."""
    rng = Random(f"{batch_id} {part}")
    rows = [{"part": part, "amount": rng.randint(1, 100)} for _ in range(5)]
    return land_rows("raw.parts", rows, f"{batch_id}.{part}")


@flow(name="land-parts")
def land_parts(batch_id: str, parts: int = 3) -> None:
    """Land a batch part by part."""
    logger = get_run_logger()
    for part in range(1, parts + 1):
        rows = land_part(batch_id, part)
        logger.info("part %s of %s: %s rows", part, parts, rows)


def follow(flow_run_id: UUID) -> FlowRun:
    """Wait until a flow run has ended, and repeat its log lines in the caller's own log.

    Returns the run as it ended; nothing is raised for a failed one. Log lines are sent in batches,
    so the last ones arrive after the final state: hence one more question a little later. The API
    gives up to 200 lines a time.
    """
    logger = get_run_logger()
    seen: set[UUID] = set()
    newest: datetime | None = None
    with get_client(sync_client=True) as client:
        while True:
            flow_run = client.read_flow_run(flow_run_id)
            over = flow_run.state is not None and flow_run.state.is_final()
            if over:
                time.sleep(GRACE)
            for line in client.read_logs(
                LogFilter(
                    flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]),
                    timestamp=LogFilterTimestamp(after_=newest),  # at or after, to be exact
                ),
                sort=LogSort.TIMESTAMP_ASC,
            ):
                if line.id not in seen:
                    logger.log(line.level, "%s | %s", flow_run.name, line.message)
                    seen.add(line.id)
                    newest = line.timestamp
            if over:
                return flow_run
            time.sleep(POLL_INTERVAL)


@flow(name="wait-and-ignore")
def wait_and_ignore() -> None:
    """`run_deployment` waits, and its result is not looked at.

    For: what comes next always comes, and finds the child at rest.
    Against: the parent is Completed whatever happened, and its log holds no word of the child's.
    """
    run_deployment(CHILD, parameters={"batch_id": current_batch()})


@flow(name="wait-and-raise")
def wait_and_raise() -> None:
    """`run_deployment` waits, and the child's failure is raised.

    For: the parent fails with the child, and says why.
    Against: how far the child came stands in the child's log alone.
    """
    flow_run = run_deployment(CHILD, parameters={"batch_id": current_batch()})
    raise_state_exception(flow_run.state)


@flow(name="follow-and-raise")
def follow_and_raise() -> None:
    """Order the child without waiting, then follow its log to the end and raise its failure.

    For: one log to read, while it happens.
    Against: every line is kept twice, and the parent asks the API again and again.
    """
    ordered = run_deployment(CHILD, parameters={"batch_id": current_batch()}, timeout=0)
    raise_state_exception(follow(ordered.id).state)
