"""A downstream on a schedule of its own that first waits for the upstream run of its cycle.

``hourly-orders`` (A) runs at every full hour, ``daily-rates`` (B) at midnight, and both land a
batch. ``order-values`` (C) runs every hour and needs A's batch of its hour and B's batch of its
date. It is what Airflow calls an external task sensor: C polls the API until *the run scheduled
for its own cycle* is Completed. For a run of another cadence that cycle is another instant: the
hour's own for A, the midnight before it for B.

For: upstream need not know who waits for it, and C's schedule, retries and log are its own.
Against: a waiting run is Running. It polls, and holds a slot of its work pool, maybe the one that
its upstream needs.
"""

import time
from datetime import UTC, datetime, timedelta
from random import Random

import prefect.runtime
from prefect import flow, get_client, task
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from pipelines.warehouse import Row, batch_of, connect, current_batch, land_rows

MARTS = """
create schema if not exists marts;
create table if not exists marts.order_values (
    built_at timestamptz, batch_id varchar, orders_batch_id varchar, rates_batch_id varchar,
    orders integer, rates integer
);
"""


# --- waiting --------------------------------------------------------------------------------------


def run_of_cycle(deployment: str, cycle: datetime) -> FlowRun | None:
    """The newest run of a deployment ("flow/name") scheduled for exactly that instant, if any."""
    flow_name, _, name = deployment.partition("/")
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow_name])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name])),
            flow_run_filter=FlowRunFilter(
                expected_start_time=FlowRunFilterExpectedStartTime(after_=cycle, before_=cycle)
            ),
            sort=FlowRunSort.START_TIME_DESC,
            limit=1,
        )
    return runs[0] if runs else None


def wait_for_run(
    deployment: str,
    cycle: datetime,
    timeout: timedelta = timedelta(hours=2),
    poll_interval: timedelta = timedelta(minutes=1),
) -> FlowRun:
    """Wait until a deployment's run of that cycle is Completed, and return it.

    Raises `RuntimeError` at once if that run ended otherwise, and `TimeoutError` if there is no such
    run, or it has not ended, when `timeout` is over.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    what = f"the run of {deployment} for {cycle:%Y-%m-%d %H:%M}"
    while True:
        run = run_of_cycle(deployment, cycle)
        if run is not None and run.state is not None and run.state.is_final():
            if not run.state.is_completed():
                raise RuntimeError(f"{what} is {run.state_name}: {run.name}")
            return run
        if time.monotonic() >= deadline:
            state = f"is {run.state_name}" if run is not None else "does not exist"
            raise TimeoutError(f"waited {timeout}, and {what} {state}")
        time.sleep(poll_interval.total_seconds())


def this_hour() -> datetime:
    """The full hour for which the current flow run is scheduled, however late it is."""
    scheduled = prefect.runtime.flow_run.scheduled_start_time.astimezone(UTC)
    return scheduled.replace(minute=0, second=0, microsecond=0)


def midnight_before(cycle: datetime) -> datetime:
    """The midnight (UTC) of a cycle's date: the cycle of what runs daily."""
    return cycle.replace(hour=0)


# --- the flows ------------------------------------------------------------------------------------


@task(name="fetch-orders")
def fetch_orders(batch_id: str, rows: int) -> list[Row]:
    """The orders of one batch; the same batch has the same orders again."""
    rng = Random(batch_id)
    return [{"id": number, "amount": rng.randint(1, 100)} for number in range(1, rows + 1)]


@task(name="fetch-rates")
def fetch_rates(batch_id: str) -> list[Row]:
    """The exchange rates of one batch; the same batch has the same rates again."""
    rng = Random(batch_id)
    return [{"currency": code, "rate": rng.uniform(0.8, 1.2)} for code in ("EUR", "GBP", "CHF")]


@flow(name="hourly-orders")
def hourly_orders(rows: int = 5) -> int:
    """A: land the hour's orders; returns how many."""
    batch_id = current_batch()
    return land_rows("raw.orders_by_hour", fetch_orders(batch_id, rows), batch_id)


@flow(name="daily-rates")
def daily_rates() -> int:
    """B: land the day's exchange rates; returns how many."""
    batch_id = current_batch()
    return land_rows("raw.daily_rates", fetch_rates(batch_id), batch_id)


@flow(name="order-values-unwaiting")
def order_values_unwaiting() -> None:
    """C that takes the newest of what has landed.

    For: it never waits. Against: the newest batch at the full hour is that of the hour before.
    """
    with connect() as con:
        newest = "select max(batch_id) from raw."
        ((orders,),) = con.execute(newest + "orders_by_hour").fetchall()
        ((rates,),) = con.execute(newest + "daily_rates").fetchall()
    build_order_values(orders, rates)


@flow(name="order-values")
def order_values() -> None:
    """C that waits for A's run of its hour and B's run of its date, and reads their batches.

    Not the newest ones: when B is done at last, later hours have landed as well.
    """
    cycle = this_hour()
    wait_for_run("hourly-orders/dev", cycle)
    wait_for_run("daily-rates/dev", midnight_before(cycle))
    build_order_values(batch_of(cycle), batch_of(midnight_before(cycle)))


@flow(name="order-values-fixed-delta")
def order_values_fixed_delta() -> None:
    """C that waits for the run of B that lies one hour before its own cycle.

    Against: a fixed distance between an hourly and a daily cycle is right once a day. At all other
    hours C waits for a run that will never exist, and holds its slot until it gives up.
    """
    cycle = this_hour()
    wait_for_run("hourly-orders/dev", cycle)
    wait_for_run("daily-rates/dev", cycle - timedelta(hours=1))
    build_order_values(batch_of(cycle), batch_of(cycle - timedelta(hours=1)))


def build_order_values(orders: str, rates: str) -> None:
    """Add a row to ``marts.order_values``: how many orders and rates of these batches it found."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "insert into marts.order_values select now(), $cycle, $orders, $rates, "
            "(select count(*) from raw.orders_by_hour where batch_id = $orders), "
            "(select count(*) from raw.daily_rates where batch_id = $rates)",
            {"cycle": batch_of(this_hour()), "orders": orders, "rates": rates},
        )
