"""What changed between Prefect 3.8 and 3.9."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from prefect import Flow, flow, task
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.futures import PrefectFutureList
from prefect.states import Completed, Failed
from prefect.transactions import transaction

from simulator import Simulation
from simulator.versions import series
from tests.conformance.case import by_series, case, tasks_of, until
from tests.conformance.cases_caching import same_key
from tests.conformance.shapes import good

# -- a failure that is returned, not raised


@flow(retries=1)
def returns_failed():
    return Failed(message="as it says")


@case(series={"3.8": "AwaitingRetry for ever, one attempt", "3.9": "retried, then Failed"})
def returned_failure_with_retries(sim: Simulation) -> None:
    """A flow with `retries=1` returns a Failed state."""
    run = sim.run(returns_failed)
    seen = [state.name for state in run.states if state.name != "Pending"]
    assert seen == by_series(
        {
            "3.8": ["Running", "AwaitingRetry"],
            "3.9": ["Running", "AwaitingRetry", "Running", "Failed"],
        }
    )


@task(cache_key_fn=same_key, persist_result=True)
def returns_failed_under_a_key():
    return Failed(message="as it says")


@flow
def calls_it_twice():
    returns_failed_under_a_key(return_state=True)
    returns_failed_under_a_key(return_state=True)
    return Completed()


@case(series={"3.8": "Failed, then Cached", "3.9": "Failed, and Failed again"})
def returned_failure_with_a_cache_key(sim: Simulation) -> None:
    """A task with a cache key returns a Failed state, and is called twice."""
    run = sim.run(calls_it_twice)
    names = [task.state for task in tasks_of(sim, run, 2)]
    assert names == by_series({"3.8": ["Failed", "Cached"], "3.9": ["Failed", "Failed"]})


@flow
def returns_failed_in_a_transaction():
    undone = []

    @task
    def first():
        pass

    @first.on_rollback
    def undo(transaction):
        undone.append("first")

    @task
    def second():
        return Failed(message="as it says")

    with transaction():
        first()
        second(return_state=True)
    return Completed(message=f"undone: {undone}")


@case(series={"3.8": "nothing is undone", "3.9": "the hooks of the first task run"})
def returned_failure_in_a_transaction(sim: Simulation) -> None:
    """The second task of a transaction returns a Failed state."""
    run = sim.run(returns_failed_in_a_transaction)
    assert run.message == by_series({"3.8": "undone: []", "3.9": "undone: ['first']"})


# -- schedules across a change of the clocks


def _upcoming(sim: Simulation, deployment: str) -> list[datetime]:
    """The instants of the runs that the scheduler has written down for a deployment, ascending."""

    def found() -> list[datetime]:
        runs = sim.history().upcoming()
        return sorted(run.scheduled for run in runs if run.deployment == deployment)

    until(sim, lambda: bool(found()))
    return found()


@case(
    series={
        "3.8": "an hour before, up to Python 3.12; an hour after from 3.13 on",
        "3.9": "an hour after",
    }
)
def cron_in_an_hour_that_is_missing(sim: Simulation) -> None:
    """Half past two in Paris, on the days on which the clocks go from two to three."""
    last_sunday = CronSchedule(cron="30 2 25-31 3 sun", timezone="Europe/Paris", day_or=False)
    sim.deploy(good, "missing", schedule=last_sunday)
    times = {f"{instant.astimezone(UTC):%H:%M}" for instant in _upcoming(sim, "good/missing")}
    pendulum = series() == "3.8" and sys.version_info < (3, 13)
    assert times == {"00:30" if pendulum else "01:30"}


@case(series={"3.8": "an hour late or early", "3.9": "at the hour of the anchor"})
def interval_across_a_change_of_the_clocks(sim: Simulation) -> None:
    """An interval of a day in New York, anchored at nine in the other half of the year."""
    zone = ZoneInfo("America/New_York")
    now = sim.now.astimezone(zone)
    anchors = [datetime(now.year - 1, month, 15, 9, tzinfo=zone) for month in (1, 7)]
    (anchor,) = (one for one in anchors if one.utcoffset() != now.utcoffset())
    daily = IntervalSchedule(
        interval=timedelta(days=1), anchor_date=anchor, timezone="America/New_York"
    )
    sim.deploy(good, "daily", schedule=daily)
    first = _upcoming(sim, "good/daily")[0].astimezone(zone)
    summer = bool(anchor.dst())
    assert first.hour == by_series({"3.8": 8 if summer else 10, "3.9": 9})


# -- smaller ones


@task
def quick() -> int:
    return 1


@flow
def asks_for_what_is_there():
    futures = PrefectFutureList([quick.submit(), quick.submit()])
    futures.wait()
    try:
        return Completed(message=f"got {futures.result(timeout=0)}")
    except TimeoutError:
        return Completed(message="TimeoutError")


@case(series={"3.8": "TimeoutError", "3.9": "the results"})
def results_without_waiting(sim: Simulation) -> None:
    """`result(timeout=0)` of futures that are all done."""
    run = sim.run(asks_for_what_is_there)
    assert run.message == by_series({"3.8": "TimeoutError", "3.9": "got [1, 1]"})


class Again:
    def __call__(self, task, run, state):
        return True


@task(retries=2, retry_condition_fn=Again())
def fails_on_condition():
    raise ValueError("as it says")


@flow
def calls_on_condition():
    fails_on_condition(return_state=True)


@case(series={"3.8": "one attempt: only a function is asked", "3.9": "three attempts"})
def retry_condition_that_is_an_object(sim: Simulation) -> None:
    """The condition of a task's retries is an object with `__call__`, and says yes."""
    (tried,) = tasks_of(sim, sim.run(calls_on_condition), 1)
    assert tried.run_count == by_series({"3.8": 1, "3.9": 3})


@flow
def adds_a_hook_to_a_copy():
    told = []

    def one_of_its_own(flow, run, state):
        pass

    @flow(on_completion=[one_of_its_own])
    def original():
        pass

    copy: Flow = original.with_options(name="copy")

    @copy.on_completion
    def hook(flow, run, state):
        told.append(run.name)

    original()
    return Completed(message=f"hooks that ran: {len(told)}")


@case(series={"3.8": "runs for the original as well", "3.9": "the copy's alone"})
def hook_of_a_copy(sim: Simulation) -> None:
    """A hook is added to what `with_options` has made of a flow with hooks; the flow itself is called."""
    run = sim.run(adds_a_hook_to_a_copy)
    assert run.message == by_series({"3.8": "hooks that ran: 1", "3.9": "hooks that ran: 0"})
