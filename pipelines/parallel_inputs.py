"""The hourly parent of `pipelines.cadence` with A and B at the same time, and C after both.

A lands the hour's orders, B makes the daily forecast (held back by a result kept under the date), C
refreshes the dashboard from both. A and B are submitted as tasks, so the hour in which B runs takes
as long as the slower of the two, not both.

The price is paid in two coins. B no longer sees what A lands in the same hour. And a submitted task
that fails raises nothing: its future has to be waited for, and its state to be looked at.
"""

from prefect import flow, task
from prefect.states import State

from pipelines.cadence import one_a_date, run_or_raise


@task(name="hourly-load")
def hourly_load() -> None:
    """Run A to its end; fails if it fails."""
    run_or_raise("load-orders/dev")


@task(name="forecast-once-a-date", cache_key_fn=one_a_date, persist_result=True)
def forecast_once_a_date() -> str:
    """Run B unless it succeeded for this date; returns the name of its run.

    Not the run itself: Prefect refuses a `FlowRun` where a task's result is handed on, and what
    stands in `wait_for` is.
    """
    return run_or_raise("daily-forecast/dev").name


@task(name="hourly-refresh")
def hourly_refresh() -> None:
    """Run C to its end; fails if it fails."""
    run_or_raise("refresh-dashboard/dev")


@flow(name="parent-wait-for")
def parent_wait_for() -> list[State]:
    """C is submitted as well, to start after A and B; the parent returns all three states.

    For: C does not start unless both have succeeded, and the parent fails with any of them.
    Against: "after A and B" and "fails with A or B" are two things to write, and to forget.
    """
    orders = hourly_load.submit()
    forecast = forecast_once_a_date.submit()
    dashboard = hourly_refresh.submit(wait_for=[orders, forecast])
    steps = (orders, forecast, dashboard)
    for step in steps:
        step.wait()
    return [step.state for step in steps]


@flow(name="parent-results")
def parent_results() -> None:
    """The results of A and B are taken, then C is called.

    For: reads like sequential code, and the first failure raises here, with its own error.
    """
    orders = hourly_load.submit()
    forecast = forecast_once_a_date.submit()
    orders.result()
    forecast.result()
    hourly_refresh()


@flow(name="parent-unread")
def parent_unread() -> None:
    """C is submitted to start after A and B, and nobody waits for any of them.

    Against: a flow that ends cancels what it has submitted. The parent is Completed at once.
    """
    orders = hourly_load.submit()
    forecast = forecast_once_a_date.submit()
    hourly_refresh.submit(wait_for=[orders, forecast])


@flow(name="parent-no-wait")
def parent_no_wait() -> list[State]:
    """A and B are submitted, and C is called while they are under way.

    Against: C shows the data of the hour before.
    """
    orders = hourly_load.submit()
    forecast = forecast_once_a_date.submit()
    hourly_refresh()
    steps = (orders, forecast)
    for step in steps:
        step.wait()
    return [step.state for step in steps]
