"""The jaffle shop from end to end: land the day's raw tables, check their freshness, build, test.

``land-shop`` appends the day's new customers, orders and payments to the raw tables; dbt turns them
into staging views and marts, and tests both. Landing a day again changes nothing.
"""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from prefect import flow

from pipelines.chaining import dbt_in_process
from pipelines.warehouse import Row, batch_of, current_batch, cycle_of, land_rows

FIRST_NAMES = ["Ada", "Ben", "Cleo", "Dov", "Edda", "Finn", "Gita", "Hugo", "Ines", "Jo"]
LAST_NAMES = ["Archer", "Baker", "Cook", "Dyer", "Fisher", "Glover", "Miller", "Smith", "Turner"]
STATUSES = ["placed", "shipped", "completed", "return_pending", "returned"]
METHODS = ["credit_card", "coupon", "bank_transfer", "gift_card"]
OPENING = date(2020, 1, 1)


def shop_day(day: date, customers: int, orders: int) -> dict[str, list[Row]]:
    """What happened in the shop on one day, by table; the same day is the same again.

    Each order is by one of that day's new customers and has one or two payments, in cents.
    """
    rng = Random(day.isoformat())
    first = (day - OPENING).days * 1_000  # ids never meet those of another day
    tables: dict[str, list[dict[str, Any]]] = {"customers": [], "orders": [], "payments": []}
    for number in range(first, first + customers):
        name = {"first_name": rng.choice(FIRST_NAMES), "last_name": rng.choice(LAST_NAMES)}
        tables["customers"].append({"id": number, **name})
    for number in range(first, first + orders):
        customer = rng.randrange(first, first + customers)
        status = rng.choice(STATUSES)
        tables["orders"].append(
            {"id": number, "user_id": customer, "order_date": day, "status": status}
        )
        for _ in range(rng.randint(1, 2)):
            payment = {"order_id": number, "payment_method": rng.choice(METHODS)}
            payment |= {"id": first + len(tables["payments"]), "amount": rng.randint(100, 5_000)}
            tables["payments"].append(payment)
    return {name: list(rows) for name, rows in tables.items()}


@flow(name="land-shop")
def land_shop(day: date | None = None, customers: int = 10, orders: int = 30) -> int:
    """Land one day of the shop, by default that of the schedule; returns how many rows."""
    day = day or cycle_of(current_batch()).date()
    batch_id = batch_of(datetime.combine(day, time(), UTC))
    tables = shop_day(day, customers, orders)
    return sum(land_rows(f"raw.{table}", rows, batch_id) for table, rows in tables.items())


@flow(name="jaffle-shop")
def jaffle_shop(start_date: date | None = None, end_date: date | None = None) -> None:
    """Land each day from `start_date` to `end_date` (inclusive; by default today), then build.

    Fails with the node that failed: a raw table without fresh rows, a model, or a test.
    """
    today = cycle_of(current_batch()).date()
    day, end = start_date or today, end_date or today
    while day <= end:
        land_shop(day)
        day += timedelta(days=1)
    dbt_in_process("source freshness --select source:raw")
    dbt_in_process("build --select source:raw+")
