"""Twelve shops are asked at once, and their API is down: three ways to try again.

The API is down for two minutes. When it is back, it serves four requests at a time, and turns away what
comes on top (503). Each request takes three seconds.

======================  =====================================================
tries again after       and so
======================  =====================================================
20, 20, 20, ... s       all twelve come back together, every twenty seconds
5, 10, 20, 40, ... s    together as well, and less and less often
the same with jitter    each at a time of its own
======================  =====================================================

Prefect's documentation names the reason for ``retry_jitter_factor``, thundering herds; it came with
PrefectHQ/prefect #7954. ``raw.requests`` has a row for each request: the API's own books.
"""

import os
import time
from datetime import UTC, datetime

from prefect import flow, task
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from pipelines.warehouse import connect

SHOPS = 12
SERVED = 4  # requests at a time
REQUEST = 3  # seconds
RETRIES = 12
LONGEST = 160  # seconds between two tries

REQUESTS = """
create schema if not exists raw;
create table if not exists raw.requests (
    shop integer, began_at timestamptz, until timestamptz, status integer
);
"""


class Unavailable(Exception):
    """The API has answered 503."""


def request_orders(shop: int) -> None:
    """One request to the API, which is down until the instant ``API_DOWN_UNTIL``."""
    now = datetime.now(UTC)
    down = now < datetime.fromisoformat(os.environ["API_DOWN_UNTIL"])
    with connect() as con:
        con.execute(REQUESTS)
        [(serving,)] = con.execute(
            "select count(*) from raw.requests where status = 200 and until > ?", [now]
        ).fetchall()
        status = 503 if down or serving >= SERVED else 200
        con.execute(
            "insert into raw.requests values (?, ?, ? + to_seconds(?), ?)",
            [shop, now, now, REQUEST, status],
        )
    if status != 200:
        raise Unavailable(f"503 for shop {shop}")
    time.sleep(REQUEST)


def backing_off(retries: int) -> list[float]:
    """5, 10, 20, ... seconds, and never longer than 160."""
    return [min(delay, LONGEST) for delay in exponential_backoff(5)(retries)]


@task(name="load-fixed", retries=RETRIES, retry_delay_seconds=20)
def load_fixed(shop: int) -> None:
    """Again every twenty seconds."""
    request_orders(shop)


@task(name="load-backing-off", retries=RETRIES, retry_delay_seconds=backing_off)
def load_backing_off(shop: int) -> None:
    """Again after twice as long as before."""
    request_orders(shop)


@task(
    name="load-with-jitter",
    retries=RETRIES,
    retry_delay_seconds=backing_off,
    retry_jitter_factor=1,
)
def load_with_jitter(shop: int) -> None:
    """The same, each delay drawn around its value."""
    request_orders(shop)


@flow(name="load-shops-fixed", task_runner=ThreadPoolTaskRunner(max_workers=SHOPS))
def load_shops_fixed() -> None:
    """All shops at once.

    For: one knows when the next try is.
    Against: all of them know it.
    """
    wait([load_fixed.submit(shop) for shop in range(SHOPS)])


@flow(name="load-shops-backing-off", task_runner=ThreadPoolTaskRunner(max_workers=SHOPS))
def load_shops_backing_off() -> None:
    """All shops at once.

    For: an API that is down is left in peace.
    Against: they are still together, so most of them are turned away, and wait for longer each time.
    """
    wait([load_backing_off.submit(shop) for shop in range(SHOPS)])


@flow(name="load-shops-with-jitter", task_runner=ThreadPoolTaskRunner(max_workers=SHOPS))
def load_shops_with_jitter() -> None:
    """All shops at once.

    For: they come one by one, and are served.
    Against: one of them may draw a long delay.
    """
    wait([load_with_jitter.submit(shop) for shop in range(SHOPS)])
