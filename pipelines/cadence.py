"""One hourly parent over three steps: A and C every hour, B once a day.

A lands the hour's orders (``load-orders``), B makes the daily forecast from what has landed
(``daily-forecast``), C refreshes a dashboard from both (``refresh-dashboard``), in this order. B is
a deployment named ``dev``; A and C are subflows, or deployments of that name where the parent is to
trigger them. The parents differ in what holds B back for a day.

``marts.dashboard`` has a row for each refresh with the age of both of its inputs, and
``marts.forecasts`` one for each forecast, so the tables show at which hour B really ran.

Prefect counts `cache_expiration` from the moment the task *completed*, and looks for an unexpired
result when the task starts. Caching needs the result to be persisted, whence `persist_result`.
"""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import prefect.runtime
from prefect import flow, get_client, task
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import TaskRunContext
from prefect.deployments import run_deployment
from prefect.states import State, raise_state_exception

from pipelines.warehouse import connect, current_batch, land_rows

DAY = timedelta(hours=24)

MARTS = """
create schema if not exists marts;
create table if not exists marts.forecasts (
    built_at timestamptz, amount double, source_loaded_at timestamptz, source_batch_id varchar
);
create table if not exists marts.dashboard (
    built_at timestamptz, orders_loaded_at timestamptz, orders_batch_id varchar,
    forecast_built_at timestamptz
);
"""


@flow(name="load-orders")
def load_orders(batch_id: str | None = None, rows: int = 5) -> str:
    """A: land the hour's orders in ``raw.hourly_orders``; returns the batch."""
    batch_id = batch_id or current_batch()
    rng = Random(batch_id)
    orders = [{"id": number, "amount": rng.randint(1, 100)} for number in range(1, rows + 1)]
    land_rows("raw.hourly_orders", orders, batch_id)
    return batch_id


@flow(name="daily-forecast")
def daily_forecast() -> None:
    """B: add a forecast made from everything that has landed so far to ``marts.forecasts``."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "insert into marts.forecasts select now(), avg(amount), max(loaded_at), max(batch_id) "
            "from raw.hourly_orders"
        )


@flow(name="refresh-dashboard")
def refresh_dashboard() -> None:
    """C: add a row to ``marts.dashboard`` with the newest orders and the newest forecast."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "insert into marts.dashboard select now(), max(loaded_at), max(batch_id), "
            "(select max(built_at) from marts.forecasts) from raw.hourly_orders"
        )


def run_or_raise(deployment: str) -> FlowRun:
    """Run a deployment to its end and return its run, or raise what the run failed of."""
    flow_run = run_deployment(deployment)
    raise_state_exception(flow_run.state)
    return flow_run


# --- what holds B back ----------------------------------------------------------------------------


def one_for_ever(context: TaskRunContext, _: dict[str, Any]) -> str:
    """The same cache key always: when to run again is left to `cache_expiration`."""
    return context.task.name


def one_a_date(context: TaskRunContext, _: dict[str, Any]) -> str:
    """A cache key for each date (UTC) of the parent's schedule, however late the run is."""
    return f"{context.task.name}-{prefect.runtime.flow_run.scheduled_start_time:%Y-%m-%d}"


@task(
    name="forecast-within-24-hours",
    cache_key_fn=one_for_ever,
    cache_expiration=DAY,
    persist_result=True,
)
def forecast_within_24_hours() -> FlowRun:
    """Run B unless it succeeded in the last 24 hours. A failure is raised, and so not cached."""
    return run_or_raise("daily-forecast/dev")


@task(
    name="forecast-unchecked",
    cache_key_fn=one_for_ever,
    cache_expiration=DAY,
    persist_result=True,
)
def forecast_unchecked() -> FlowRun:
    """Run B unless it ran in the last 24 hours. A failed run is a result like any other: cached."""
    return run_deployment("daily-forecast/dev")


@task(
    name="forecast-as-a-state",
    cache_key_fn=one_for_ever,
    cache_expiration=DAY,
    persist_result=True,
)
def forecast_as_a_state() -> State[Any]:
    """Run B unless it ran in the last 24 hours, and end as B has ended.

    Prefect 3.8 caches a Failed state that a task returns; from 3.9 on it does not.
    """
    return run_deployment("daily-forecast/dev").state


@task(name="forecast-of-the-date", cache_key_fn=one_a_date, persist_result=True)
def forecast_of_the_date() -> FlowRun:
    """Run B unless it succeeded for this date. A failure is raised, and so not cached."""
    return run_or_raise("daily-forecast/dev")


@task(name="recent-forecast", cache_key_fn=one_a_date, persist_result=True)
def recent_forecast() -> datetime:
    """When B last ended, if that run succeeded less than 24 hours ago; raises if not."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["daily-forecast"])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*TERMINAL_STATES]))
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=1,
        )
    if not runs or runs[0].end_time is None:
        raise RuntimeError("daily-forecast has never run")
    newest = runs[0]
    if newest.state_type != StateType.COMPLETED:
        raise RuntimeError(f"the newest daily-forecast is {newest.state_name}: {newest.name}")
    if datetime.now(UTC) - newest.end_time > DAY:
        raise RuntimeError(f"the newest daily-forecast ended at {newest.end_time}: {newest.name}")
    return newest.end_time


# --- the parents ----------------------------------------------------------------------------------


@flow(name="parent-cache-expiry")
def parent_cache_expiry() -> None:
    """B is held back by a result that expires after 24 hours.

    For: one line, and a B that failed is tried again an hour later.
    Against: the 24 hours count from B's end. Tomorrow's run at the same hour finds the result
    still valid, by as long as B took, so B runs an hour later every day.
    """
    load_orders()
    forecast_within_24_hours()
    refresh_dashboard()


@flow(name="parent-cache-date")
def parent_cache_date() -> None:
    """B is held back by a result kept under the date of the schedule.

    For: B runs in the first hour of every date, however long it takes and however late it is.
    Against: the date is that of one time zone, and a missed last hour is not made up for.
    """
    load_orders()
    forecast_of_the_date()
    refresh_dashboard()


@flow(name="parent-cache-unchecked")
def parent_cache_unchecked() -> None:
    """As by expiry, but the caching task returns B's run without looking at its state.

    Against: when B fails, the failed run is cached. For 24 hours nobody runs B again, every parent
    is Completed, and the dashboard shows an old forecast.
    """
    load_orders()
    forecast_unchecked()
    refresh_dashboard()


@flow(name="parent-cache-state")
def parent_cache_state() -> None:
    """As by expiry, but the caching task returns the state in which B ended, and nobody reads it.

    For: with Prefect 3.9 a B that failed is tried again an hour later.
    Against: every parent is Completed; with Prefect 3.8 the failure is cached as well.
    """
    load_orders()
    forecast_as_a_state(return_state=True)
    refresh_dashboard()


@flow(name="parent-checks-forecast")
def parent_checks_forecast() -> None:
    """B has a schedule of its own; the parent triggers A and C, and asks, once a date, how B did.

    For: B keeps its own time, and its own failures.
    Against: the answer is cached as well, so a B that fails after the first check of the date goes
    unnoticed until the next date.
    """
    run_or_raise("load-orders/dev")
    recent_forecast()
    run_or_raise("refresh-dashboard/dev")
