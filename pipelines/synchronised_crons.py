"""Two jobs on two crons: the load at 01:00, the report on it at 02:00, and hope.

``load-sales`` fetches the day's sales and lands them in ``raw.day_sales`` when it has them all;
``sales-report`` adds a row to ``marts.sales_reports`` with the newest batch it found. Nothing ties
the two but the clock::

    load_sales.deploy(..., cron="0 1 * * *")
    sales_report.deploy(..., cron="0 2 * * *")

For: each job has its own schedule, owner and retries; there is nothing to set up between them.
Against: the hour between them is a guess. The report runs whether the load was slow, failed, or
never began, and it is Completed each time.
"""

from random import Random

from prefect import flow, task

from pipelines.warehouse import Row, connect, current_batch, cycle_of, land_rows

MARTS = """
create schema if not exists marts;
create table if not exists marts.sales_reports (
    built_at timestamptz, amount double, source_loaded_at timestamptz, source_batch_id varchar
);
"""


@task(name="fetch-sales")
def fetch_sales(batch_id: str, rows: int) -> list[Row]:
    """The sales of one batch; the same batch has the same sales again."""
    rng = Random(batch_id)
    return [{"sale": number, "amount": rng.randint(1, 100)} for number in range(1, rows + 1)]


@flow(name="load-sales")
def load_sales(rows: int = 10) -> int:
    """Land the day's sales, all at once; returns how many rows."""
    batch_id = current_batch()
    return land_rows("raw.day_sales", fetch_sales(batch_id, rows), batch_id)


@flow(name="sales-report")
def sales_report() -> None:
    """Report on the newest batch, whichever that is."""
    build_report()


@flow(name="checked-sales-report", retries=3, retry_delay_seconds=30 * 60)
def checked_sales_report() -> None:
    """Report on today's batch; without one wait half an hour, three times, then fail.

    For: the report is late or red, never wrong.
    Against: it still starts by the clock, so a good night is as slow as before.
    """
    today = cycle_of(current_batch()).date()
    with connect() as con:
        ((newest,),) = con.execute("select max(batch_id) from raw.day_sales").fetchall()
    if cycle_of(newest).date() < today:
        raise LookupError(f"no sales of {today} yet: the newest batch is {newest}")
    build_report()


def build_report() -> None:
    """Add a row to ``marts.sales_reports`` made from the newest batch."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "insert into marts.sales_reports select now(), sum(amount), max(loaded_at), batch_id "
            "from raw.day_sales group by batch_id order by batch_id desc limit 1"
        )
