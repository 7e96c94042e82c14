"""Sends the day's sales to the branches."""

import time

from prefect import flow, task

from wholesale.warehouse import connect


@task
def send(branch: str, cents: int) -> None:
    time.sleep(2)


@flow
def publish() -> int:
    with connect() as con:
        rows = con.execute(
            "select branch, sum(cents) from marts.daily_sales"
            " where day = (select max(day) from marts.daily_sales) group by branch"
        ).fetchall()
    for branch, cents in rows:
        send(branch, cents)
    return len(rows)
