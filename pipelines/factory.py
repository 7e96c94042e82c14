"""A deployment factory: every source is a deployment of one flow, and adding one is one call.

::

    add_source("orders", api="shop-api")
    add_source("vouchers", api="shop-api")
    add_source("campaigns", api="ads-api")

``load-source`` fetches one source from its API and lands it in the raw table of that name. An API
stands only so many calls at a time, so each has a work queue of its name with that limit, and each
of its sources is deployed to that queue.

For: the limit belongs to what it protects. It holds for sources that nobody has thought of yet, and
a slow API keeps nobody waiting but its own sources.
Against: it counts deployment runs only. A flow that is called in-process, or put in another queue,
goes past it.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from prefect import Flow, flow, get_client
from prefect.exceptions import ObjectAlreadyExists

from pipelines.warehouse import current_batch, land_rows

APIS = {"shop-api": 2, "ads-api": 1}
"""The APIs, and how many calls at a time each of them stands."""

POOL = "default"


@flow(name="load-source")
def load_source(source: str, rows: int = 5) -> int:
    """Land the newest rows of a source in the raw table of that name; returns how many."""
    batch_id = current_batch()
    rng = Random(f"{source} {batch_id}")
    landed = [{"id": number, "value": rng.randint(1, 100)} for number in range(1, rows + 1)]
    return land_rows(f"raw.{source}", landed, batch_id)


def create_queues(work_pool_name: str = POOL) -> None:
    """Make a work queue for each API, with its limit. Queues that are there stay as they are."""
    with get_client(sync_client=True) as client:
        for api, calls in APIS.items():
            try:
                client.create_work_queue(
                    api, concurrency_limit=calls, work_pool_name=work_pool_name
                )
            except ObjectAlreadyExists:
                pass


def add_source(
    source: str, api: str, deploy: Callable[..., Any] = Flow.deploy, **options: Any
) -> None:
    """Deploy a source: hourly, in the queue of its API.

    Args:
        source: Its name, which is that of its raw table and of its deployment as well.
        api: The API that it comes from, one of `APIS`.
        deploy: What deploys a flow; takes the arguments of `Flow.deploy`.
        options: Further arguments for it, in place of those set here.

    Raises:
        ValueError: if nobody knows the API.
    """
    if api not in APIS:
        raise ValueError(f"api {api!r} of source {source!r} must be one of {', '.join(APIS)}")
    settings = {
        "name": source,
        "work_pool_name": POOL,
        "work_queue_name": api,
        "cron": "0 * * * *",
        "parameters": {"source": source},
        "tags": ["source", api],
    }
    deploy(load_source, **settings | options)
