"""At most ten at a time: five ways to say so, and what each of them counts.

Two regions are loaded at the same time, fifty pages each, from an API that bears ten requests at a
time. Each way limits something else:

======================  ======================================  ==================================
a limit by              counts                                  across runs and processes?
======================  ======================================  ==================================
``max_workers``         task runs of one flow run               no: two flow runs, twice as many
a tag                   task runs in Running that carry it      yes, by the server
``concurrency(...)``    blocks of code that hold a slot         yes, by the server
the work pool           deployment runs that its worker took    yes, but no subflow and no task
======================  ======================================  ==================================

``raw.calls`` has a row for each request with when it began and ended: the API's own books.
"""

import time
from datetime import UTC, datetime

from prefect import flow, task
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from pipelines.warehouse import connect

AT_MOST = 10
PAGES = 50
REQUEST = 2  # seconds
TAG = "pages-api"  # of the limited tasks
LIMIT = "pages-api"  # the name of the global limit

CALLS = """
create schema if not exists raw;
create table if not exists raw.calls (
    region varchar, page integer, began_at timestamptz, ended_at timestamptz
);
"""


def request_page(region: str, page: int) -> None:
    """One request to the API; it takes two seconds, and its time is noted."""
    began = datetime.now(UTC)
    time.sleep(REQUEST)
    with connect() as con:
        con.execute(CALLS)
        con.execute("insert into raw.calls values (?, ?, ?, now())", [region, page, began])


@task(name="load-page")
def load_page(region: str, page: int) -> None:
    """One page, with no limit of its own."""
    request_page(region, page)


@task(name="load-page-tagged", tags=[TAG])
def load_page_tagged(region: str, page: int) -> None:
    """One page; the server lets so many tasks of this tag run at a time."""
    request_page(region, page)


@task(name="load-page-in-slot")
def load_page_in_slot(region: str, page: int) -> None:
    """One page; the request waits for one of the slots of a global limit."""
    with concurrency(LIMIT, occupy=1):
        request_page(region, page)


@flow(name="load-page-flow")
def load_page_flow(region: str, page: int) -> None:
    """One page, as a flow: for a deployment, or as a subflow."""
    request_page(region, page)


@task(name="load-page-in-subflow")
def load_page_in_subflow(region: str, page: int) -> None:
    """One page, as a subflow in a task, so that it can be submitted."""
    load_page_flow(region, page)


@flow(name="by-max-workers", task_runner=ThreadPoolTaskRunner(max_workers=AT_MOST))
def by_max_workers(region: str) -> None:
    """Ten threads.

    For: nothing to set up, and no waiting but for a free thread.
    Against: it is a limit of this run. Two runs at the same time make twenty requests.
    """
    wait([load_page.submit(region, page) for page in range(PAGES)])


@flow(name="by-tag")
def by_tag(region: str) -> None:
    """A tag with a limit: ``prefect concurrency-limit create pages-api 10``.

    For: it holds for everybody who uses the tag, and what waits is not Running.
    Against: each task that waits has a thread, and asks the server again every second or two.
    """
    wait([load_page_tagged.submit(region, page) for page in range(PAGES)])


@flow(name="by-slot")
def by_slot(region: str) -> None:
    """A global limit around the request: ``prefect gcl create pages-api --limit 10``.

    For: it holds for everybody, and just as long as it must.
    Against: those who wait are Running, in a thread each, and ask again as often. A limit that has
    not been made limits nothing, unless with ``strict=True``.
    """
    wait([load_page_in_slot.submit(region, page) for page in range(PAGES)])


@flow(name="by-pool")
def by_pool(region: str) -> None:
    """A deployment run for each page, in a work pool with a limit.

    For: what waits is Scheduled, and costs nothing.
    Against: a process for each page, and up to ten seconds between the end of one and the start of
    the next. The parent must not live in that pool: it would take up a slot of its own children's.
    """
    for page in range(PAGES):
        parameters = {"region": region, "page": page}
        run_deployment("load-page-flow/dev", parameters=parameters, timeout=0)


@flow(name="by-pool-with-subflows")
def by_pool_with_subflows(region: str) -> None:
    """The trap: a pool with a limit, whose runs call subflows.

    The pool counts this run, as one, and nothing that goes on inside it.
    """
    wait([load_page_in_subflow.submit(region, page) for page in range(PAGES)])
