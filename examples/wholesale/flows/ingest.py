"""Takes yesterday's receipts into the warehouse."""

import time
from datetime import date, timedelta

from prefect import flow, task

from wholesale.feed import sales
from wholesale.warehouse import connect


@task(retries=2, retry_delay_seconds=60)
def load(day: date) -> int:
    time.sleep(240)
    rows = [(day, *one) for one in sales(day)]
    with connect() as con:
        con.execute("create schema if not exists raw")
        con.execute(
            "create table if not exists raw.receipts (day date, branch text, number int, cents int)"
        )
        con.execute("begin")
        con.execute("delete from raw.receipts where day = ?", [day])
        con.executemany("insert into raw.receipts values (?, ?, ?, ?)", rows)
        con.execute("commit")
    return len(rows)


@flow
def ingest() -> int:
    return load(date.today() - timedelta(days=1))
