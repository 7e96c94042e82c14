"""A parent with a range of dates: today by its schedule, the past by its parameters.

For each date ``extract`` lands a batch (a subflow), ``transform-load`` brings it into the mart (a
run of its own deployment) and ``cleanup`` removes what was landed (a subflow): the children of
`pipelines.random_failure`, where a table tells what the two tables say about each batch.

A backfill is the same code with other parameters::

    prefect deployment run backfill/dev -p start_date=2026-01-01 -p end_date=2026-01-31

It may be repeated if every step replaces what it wrote for the date before. Steps that only append
write everything twice. An idempotency key for each date looks like another way to have each date
once, but it is the *run* that Prefect keeps once: a repeated call hands back the run of the first
call, also if that one failed.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from prefect import flow
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.random_failure import cleanup, extract
from pipelines.warehouse import batch_of, current_batch, cycle_of


def dates(start_date: date | None, end_date: date | None) -> Iterator[date]:
    """Each date from `start_date` to `end_date`, both included; the date of the schedule for None.

    Raises ValueError if the range ends before it begins.
    """
    scheduled = cycle_of(current_batch()).date()
    day, end = start_date or scheduled, end_date or scheduled
    if end < day:
        raise ValueError(f"end_date={end} lies before start_date={day}")
    while day <= end:
        yield day
        day += timedelta(days=1)


def batch_of_day(day: date) -> str:
    """The batch id of a whole day (UTC)."""
    return batch_of(datetime.combine(day, time(), UTC))


@flow(name="backfill")
def backfill(start_date: date | None = None, end_date: date | None = None) -> None:
    """Each date once, in order; the first failure ends the range.

    For: one code path for today and for the past, and a range that failed half-way is simply
    ordered again.
    Against: what had worked is done again as well.
    """
    for day in dates(start_date, end_date):
        batch_id = batch_of_day(day)
        extract(batch_id)
        loaded = run_deployment("transform-load/dev", parameters={"batch_id": batch_id})
        raise_state_exception(loaded.state)
        cleanup(batch_id)


@flow(name="backfill-by-key")
def backfill_by_key(start_date: date | None = None, end_date: date | None = None) -> None:
    """As above, with an idempotency key for each date.

    For: a date that was loaded is not loaded again, whoever asks for it.
    Against: a date that *failed* is not loaded again either: the call returns the failed run of the
    first time at once, whatever has been mended since.
    Worse: a date whose source has changed keeps its old rows, and the new landing is cleaned up
    unread.
    """
    for day in dates(start_date, end_date):
        batch_id = batch_of_day(day)
        extract(batch_id)
        loaded = run_deployment(
            "transform-load/dev",
            parameters={"batch_id": batch_id},
            idempotency_key=f"transform-load-{day}",
        )
        raise_state_exception(loaded.state)
        cleanup(batch_id)
