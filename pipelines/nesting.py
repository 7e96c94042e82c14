"""Parent → child → grandchild: why it is slow, or stands still, and what to do about it.

A report of three regions with three shops each; one shop takes ten seconds. The leaf is a shop. What
differs is what a leaf is (a flow or a task), who waits for whom, and how much is held meanwhile.

A flow is a unit to run, to see and to restart; it costs several times what a task costs. A leaf
that nobody will ever run by itself is a task.
"""

import time

from prefect import flow, task
from prefect.concurrency.sync import concurrency
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from pipelines.warehouse import current_batch, land_rows

REGIONS = 3
SHOPS = 3
SHOP = 10  # seconds for the report of one shop
LOCK = "reports"  # a global limit of one: prefect gcl create reports --limit 1
PATIENCE = 60  # seconds to wait for it
TEN = 10


def report(batch_id: str, region: int, shop: int) -> None:
    """The report of one shop; it takes ten seconds, of which writing is the least part."""
    time.sleep(SHOP)
    write(batch_id, region, shop)


def write(batch_id: str, region: int, shop: int) -> None:
    """Land the report of one shop."""
    land_rows("raw.reports", [{"region": region, "shop": shop}], f"{batch_id} {region} {shop}")


# --- one after the other --------------------------------------------------------------------------


@flow(name="shop-flow")
def shop_flow(batch_id: str, region: int, shop: int) -> None:
    """The leaf as a flow."""
    report(batch_id, region, shop)


@flow(name="region-of-flows")
def region_of_flows(batch_id: str, region: int) -> None:
    """Three shops, one after the other."""
    for shop in range(SHOPS):
        shop_flow(batch_id, region, shop)


@flow(name="report-of-flows")
def report_of_flows() -> None:
    """Flows in flows.

    For: every shop's report is a run that can be seen.
    Against: a minute and a half, as a call of a flow waits for its end.
    """
    batch_id = current_batch()
    for region in range(REGIONS):
        region_of_flows(batch_id, region)


# --- the leaf as a task ---------------------------------------------------------------------------


@task(name="shop-task")
def shop_task(batch_id: str, region: int, shop: int) -> None:
    """The leaf as a task."""
    report(batch_id, region, shop)


@flow(name="region-of-tasks")
def region_of_tasks(batch_id: str, region: int) -> None:
    """Three shops at once."""
    wait([shop_task.submit(batch_id, region, shop) for shop in range(SHOPS)])


@flow(name="report-of-tasks")
def report_of_tasks() -> None:
    """Regions one after the other, their shops at once.

    For: half a minute, and a third of the flow runs.
    Against: a shop's report cannot be run by itself.
    """
    batch_id = current_batch()
    for region in range(REGIONS):
        region_of_tasks(batch_id, region)


# --- a lock that is held too long -----------------------------------------------------------------


@task(name="shop-in-lock")
def shop_in_lock(batch_id: str, region: int, shop: int) -> None:
    """The leaf holds the lock while it works, though only its last line needs it."""
    with concurrency(LOCK, occupy=1):
        report(batch_id, region, shop)


@flow(name="report-in-wide-lock")
def report_in_wide_lock() -> None:
    """All nine shops at once, each of them with the lock around everything.

    Against: a minute and a half again, with nine threads to wait in.
    """
    batch_id = current_batch()
    wait(
        [
            shop_in_lock.submit(batch_id, region, shop)
            for region in range(REGIONS)
            for shop in range(SHOPS)
        ]
    )


@task(name="shop-with-lock")
def shop_with_lock(batch_id: str, region: int, shop: int) -> None:
    """The leaf takes the lock for its last line."""
    time.sleep(SHOP)
    with concurrency(LOCK, occupy=1):
        write(batch_id, region, shop)


@flow(name="report-in-narrow-lock")
def report_in_narrow_lock() -> None:
    """All nine shops at once, and the lock where it is needed.

    For: little more than ten seconds.
    """
    batch_id = current_batch()
    wait(
        [
            shop_with_lock.submit(batch_id, region, shop)
            for region in range(REGIONS)
            for shop in range(SHOPS)
        ]
    )


@flow(name="report-in-own-lock")
def report_in_own_lock() -> None:
    """The parent holds the lock that its own leaf asks for.

    Against: a limit counts slots and knows no owners, so the leaf waits for the parent, which waits
    for the leaf. Only a timeout ends it.
    """
    batch_id = current_batch()
    with concurrency(LOCK, occupy=1):
        guarded_leaf(batch_id)


@flow(name="guarded-leaf")
def guarded_leaf(batch_id: str) -> None:
    """A leaf that was right as long as it was called alone."""
    with concurrency(LOCK, occupy=1, timeout_seconds=PATIENCE):
        report(batch_id, 0, 0)


# --- ten threads inside ten threads ---------------------------------------------------------------


@flow(name="ten-shops", task_runner=ThreadPoolTaskRunner(max_workers=TEN))
def ten_shops(batch_id: str, region: int) -> None:
    """Ten shops in ten threads."""
    wait([shop_task.submit(batch_id, region, shop) for shop in range(TEN)])


@task(name="region-in-thread")
def region_in_thread(batch_id: str, region: int) -> None:
    """A region's flow in a thread of its parent's."""
    ten_shops(batch_id, region)


@flow(name="ten-by-ten", task_runner=ThreadPoolTaskRunner(max_workers=TEN))
def ten_by_ten() -> None:
    """Ten regions in ten threads, each a flow with ten threads.

    For: ten seconds for a hundred shops.
    Against: a hundred threads at work, where each line says ten: every flow run has a pool of its
    own.
    """
    batch_id = current_batch()
    wait([region_in_thread.submit(batch_id, region) for region in range(TEN)])


@task(name="region-of-same-pool")
def region_of_same_pool(batch_id: str, region: int) -> None:
    """A task that submits tasks: they go to the pool in which it takes up a thread itself."""
    wait([shop_task.submit(batch_id, region, shop) for shop in range(SHOPS)])


@flow(name="pool-in-itself", task_runner=ThreadPoolTaskRunner(max_workers=REGIONS))
def pool_in_itself() -> None:
    """Three regions in three threads, whose shops wait for a free one of the same three.

    Against: there will never be one. Nothing fails, and nothing goes on.
    """
    batch_id = current_batch()
    wait([region_of_same_pool.submit(batch_id, region) for region in range(REGIONS)])
