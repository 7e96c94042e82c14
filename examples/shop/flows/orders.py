import time
from datetime import date, datetime, timedelta

from prefect import flow, task
from prefect.blocks.system import Secret
from shop.export import lines_of


@task(retries=2, retry_delay_seconds=60)
def read(day: date) -> list[dict]:
    lines = lines_of(day)
    if not lines:
        raise ValueError(f"the export of {day} is empty")
    return lines


@task
def write(lines: list[dict]) -> None:
    Secret.load("warehouse-password").get()
    time.sleep(90)


@flow(retries=2)
def orders(day: date | None = None):
    write(read(day or (datetime.now() - timedelta(days=1)).date()))
