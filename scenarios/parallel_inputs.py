"""Two inputs at the same time, one of them once a day, and a step after both."""

from datetime import UTC, datetime, timedelta

from prefect import Flow

from pipelines import cadence, parallel_inputs
from simulator import Simulation
from simulator.measures import Build, Measure, mean, stale_reads
from simulator.records import RunRecord
from simulator.scenario import scenario

SEQUENCE = "one after the other"
WAIT_FOR = "submitted, wait_for, states returned"
RESULTS = "submitted, results taken"
UNREAD = "submitted, wait_for, futures unread"
NO_WAIT = "submitted, C called at once"
IN_ORDER = (SEQUENCE, WAIT_FOR, RESULTS)
PARALLEL = (WAIT_FOR, RESULTS, NO_WAIT)

A, B, C = "load-orders", "daily-forecast", "refresh-dashboard"
TAKES = {A: timedelta(minutes=3), B: timedelta(minutes=20), C: timedelta(minutes=2)}
MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
B_FAILS, A_FAILS = MIDNIGHT, MIDNIGHT + timedelta(hours=2)
HOURS = 5  # from the hour before midnight; more with more days


@scenario(
    name="parallel-inputs",
    question="May A and B run at the same time, if C needs both?",
    lesson=(
        "Yes: submit both, and let C wait for them. The hour in which B runs takes as long as the "
        "slower one, but B no longer sees what A lands in that hour. A submitted task that fails "
        "raises nothing: the parent has to return the states or take the results. If it does neither, "
        "its end cancels what has not begun in time, and it is Completed; and a C that is just called "
        "runs before A is through."
    ),
    patterns=("P11",),
    days=1,
    start=MIDNIGHT - timedelta(hours=2, minutes=30),
    variants={
        SEQUENCE: cadence.parent_cache_date,
        WAIT_FOR: parallel_inputs.parent_wait_for,
        RESULTS: parallel_inputs.parent_results,
        UNREAD: parallel_inputs.parent_unread,
        NO_WAIT: parallel_inputs.parent_no_wait,
    },
)
def inputs_at_the_same_time(sim: Simulation, variant: Flow, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    for flow in (cadence.load_orders, cadence.daily_forecast, cadence.refresh_dashboard):
        sim.takes(flow.name, TAKES[flow.name])
        sim.deploy(flow, name="dev")
    sim.fail(B, between=(B_FAILS, B_FAILS + timedelta(hours=1)), after=timedelta(minutes=5))
    sim.fail(A, between=(A_FAILS, A_FAILS + timedelta(hours=1)), after=timedelta(minutes=1))
    sim.trigger("load-orders/dev")  # there are orders and a forecast of before
    sim.trigger("daily-forecast/dev", at=sim.now + timedelta(minutes=10))
    sim.advance_to(MIDNIGHT - timedelta(hours=1, minutes=10))
    sim.deploy(variant, name="dev", cron="0 * * * *")
    sim.advance_to(hours(days)[-1] + timedelta(minutes=59))


def hours(days: int) -> list[datetime]:
    """The full hours in which a parent runs."""
    first = MIDNIGHT - timedelta(hours=1)
    return [first + timedelta(hours=at) for at in range(24 * (days - 1) + HOURS)]


def parents(sim: Simulation) -> dict[datetime, RunRecord]:
    """The parent's runs, by hour."""
    runs = [run for run in sim.runs() if run.flow.startswith("parent-")]
    return {run.scheduled: run for run in runs if run.start}


def child(parent: RunRecord, flow: str) -> RunRecord | None:
    """The run of a step that a parent called, if it did."""
    return next((run for run in parent.children if run.flow == flow), None)


def forecast_hours(days: int) -> list[datetime]:
    """When B runs: in the first hour of each date, and again if it failed."""
    first = [hour for hour in hours(days) if hour.hour == 0 or hour == hours(days)[0]]
    return sorted([*first, B_FAILS + timedelta(hours=1)])


@inputs_at_the_same_time.expect(SEQUENCE, *PARALLEL)
def b_runs_once_a_date_and_again_after_its_failure(sim, days):
    assert list(parents(sim)) == hours(days)
    found = [hour for hour, run in parents(sim).items() if child(run, B)]
    assert found == forecast_hours(days)
    failed = [hour for hour in found if child(parents(sim)[hour], B).state == "Failed"]
    assert failed == [B_FAILS]


@inputs_at_the_same_time.expect(SEQUENCE)
def b_comes_after_a_and_sees_what_it_has_landed(sim):
    for run in parents(sim).values():
        if child(run, B):
            assert child(run, B).start >= child(run, A).end, run
    assert {at - hour for hour, at in newest_orders_of_forecasts(sim).items()} == {timedelta(0)}


@inputs_at_the_same_time.expect(*PARALLEL)
def b_starts_with_a_and_does_not_see_what_it_lands(sim):
    for run in parents(sim).values():
        if child(run, B):
            apart = abs(child(run, B).start - child(run, A).start)
            assert apart < timedelta(seconds=5), run


@inputs_at_the_same_time.expect(*IN_ORDER)
def c_runs_after_both_and_only_if_both_have_succeeded(sim):
    for hour, run in parents(sim).items():
        if hour in (A_FAILS, B_FAILS):
            assert child(run, C) is None, run
        else:
            before = [step.end for step in run.children if step.flow != C]
            assert child(run, C).state == "Completed", run
            assert child(run, C).start >= max(before), run


@inputs_at_the_same_time.expect(SEQUENCE, WAIT_FOR, RESULTS, NO_WAIT)
def the_parent_fails_with_either(sim):
    failed = [hour for hour, run in parents(sim).items() if run.state == "Failed"]
    assert failed == [B_FAILS, A_FAILS]


@inputs_at_the_same_time.expect(WAIT_FOR)
def the_message_counts_the_states_and_names_none(sim):
    for hour in (A_FAILS, B_FAILS):
        run = parents(sim)[hour]
        assert run.message == "1/3 states failed.", run
        refresh = next(task for task in run.tasks if task.task == "hourly-refresh")
        assert [state.name for state in refresh.states] == ["Pending", "NotReady"]


@inputs_at_the_same_time.expect(RESULTS, SEQUENCE)
def the_message_is_the_child_s_own(sim):
    assert "daily-forecast failed" in parents(sim)[B_FAILS].message
    assert "load-orders failed" in parents(sim)[A_FAILS].message


@inputs_at_the_same_time.expect(UNREAD)
def the_end_of_the_parent_cancels_what_nobody_waits_for(sim, days):
    assert list(parents(sim)) == hours(days)
    for run in parents(sim).values():
        assert run.state == "Completed", run
        assert run.end - run.start < timedelta(seconds=1), run
        assert len(run.tasks) == 3, run
        for task in run.tasks:
            # Whether a task is quick enough to begin is a race, which the seed decides.
            # One that was goes on, to whatever end.
            assert task.state != "Crashed" or "cancelled by the task runner" in task.message, task
        assert child(run, C) is None, run
    assert "Crashed" in {task.state for run in parents(sim).values() for task in run.tasks}


@inputs_at_the_same_time.expect(NO_WAIT)
def a_c_that_is_just_called_shows_the_hour_before(sim):
    for run in parents(sim).values():
        assert child(run, C).start < child(run, A).end, run
    assert all(build.stale for build in dashboards(sim))


@inputs_at_the_same_time.expect(*IN_ORDER)
def every_dashboard_shows_the_hour_s_orders(sim):
    assert not any(build.stale for build in dashboards(sim))


@inputs_at_the_same_time.expect(WAIT_FOR, RESULTS)
def the_hour_with_b_takes_as_long_as_b_and_c(sim, days):
    long = [hour for hour in forecast_hours(days) if hour != B_FAILS]
    for hour in long:
        took = parents(sim)[hour].end - hour
        assert TAKES[B] + TAKES[C] <= took < TAKES[A] + TAKES[B] + TAKES[C], took


def dashboards(sim: Simulation) -> list[Build]:
    """Each refresh, and the hour whose orders it was meant to show."""
    return [
        Build(built, loaded, cycle=built.replace(minute=0, second=0, microsecond=0))
        for built, loaded in sim.warehouse.query(
            "select built_at, orders_loaded_at from marts.dashboard"
        )
    ]


def newest_orders_of_forecasts(sim: Simulation) -> dict[datetime, datetime]:
    """By the hour of each forecast under a parent: the hour of the newest orders in it."""
    rows = sim.warehouse.query(
        "select date_trunc('hour', built_at), date_trunc('hour', source_loaded_at) "
        "from marts.forecasts where built_at > ?",
        [MIDNIGHT - timedelta(hours=1)],
    )
    return dict(rows)


@inputs_at_the_same_time.measure
def latency(sim) -> list[Measure]:
    times = [
        (run.end - hour).total_seconds() for hour, run in parents(sim).items() if run.completed
    ]
    forecasts = newest_orders_of_forecasts(sim)
    behind = [(hour - orders).total_seconds() for hour, orders in forecasts.items()]
    return [
        mean("a good cycle", times),
        stale_reads(dashboards(sim)),
        mean("forecast behind the orders", behind),
    ]
