"""An export, and dbt behind it: by a second cron five minutes later, or started by the export.

``export-products`` reads the products API page by page and writes the feed ``products.ndjson``;
``dbt-command-flow`` builds the marts from it. The mart ``product_builds`` has a row for each build
with the batch it found and whether that batch was complete, so stale and partial reads can be
counted.

Two crons::

    export_products.deploy(..., cron="0 0 * * *")
    dbt_command_flow.deploy("dbt_downstream_model", cron="5 0 * * *", parameters=DOWNSTREAM)

hope that the export is through after five minutes. Chained::

    export_products.deploy(..., cron="0 0 * * *", parameters={"then": DBT_DEPLOYMENT})
    dbt_command_flow.deploy("dbt_downstream_model", parameters=DOWNSTREAM)

dbt starts when the export is complete, and only then.
"""

import os
import shlex
from datetime import date
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.deployments import run_deployment
from prefect_dbt import PrefectDbtRunner

from pipelines.products_api import read_page
from pipelines.warehouse import (
    current_batch,
    cycle_of,
    dbt_settings,
    open_feed,
    run_dbt,
    stamped,
)

DBT_DEPLOYMENT = "dbt-command-flow/dbt_downstream_model"
DOWNSTREAM = {"command": "run --select +products +product_prices +product_builds"}


@task(name="fetch-page", retries=2, retry_delay_seconds=10)
def fetch_page(api_url: str, skip: int, limit: int, day: date) -> dict[str, Any]:
    """One page of the products API."""
    return read_page(api_url, skip=skip, limit=limit, day=day)


@flow(name="export-products")
def export_products(
    api_url: str | None = None,
    page_size: int = 25,
    atomic: bool = False,
    then: str | None = None,
) -> int:
    """Write the feed anew from the products API; returns how many products it has.

    Args:
        api_url: Where the API is; `PRODUCTS_API_URL` of the environment if not given.
        page_size: How many products to ask for at a time.
        atomic: Whether readers see the new feed only when it is complete, or grow page by page.
        then: The full name of a deployment to start, without waiting for it, once the feed is
            complete.
    """
    api_url = api_url or os.environ["PRODUCTS_API_URL"]
    batch_id = current_batch()
    day = cycle_of(batch_id).date()
    written, total = 0, None
    with open_feed("products", atomic=atomic) as write:
        while total is None or written < total:
            page = fetch_page(api_url, written, page_size, day)
            total = page["total"]
            if not page["products"]:
                break  # it has promised more than it gives
            write({**row, "batch_rows": total} for row in stamped(page["products"], batch_id))
            written += len(page["products"])
    if then:
        run_deployment(then, timeout=0)
    return written


@flow(name="dbt-command-flow")
def dbt_command_flow(command: str = "build") -> None:
    """Run one dbt command, as it would be typed after ``dbt``, by prefect-dbt's runner.

    For: each node is a task run, and what dbt says is in the log. It fails with the nodes that failed.
    Against: dbt loads its manifest again for that, and a selection of nothing is a success.
    """
    PrefectDbtRunner(settings=dbt_settings()).invoke(shlex.split(command))


@flow(name="dbt-in-process")
def dbt_in_process(command: str = "build") -> None:
    """The same by dbt's own runner, without task runs; a selection of nothing fails as well."""
    run_dbt(*shlex.split(command))
    get_run_logger().info("dbt %s: passed", command)
