"""The server and its services: schedules, limits, pauses, automations, clients.

Where it is not obvious what is right, the expectation was read off a real Prefect 3.8.8 server.
"""

from __future__ import annotations

import asyncio
import select
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from anyio._backends._asyncio import WorkerThread
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate, GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.concurrency.asyncio import concurrency as aconcurrency
from prefect.concurrency.sync import concurrency, rate_limit
from prefect.deployments import run_deployment
from prefect.events import DeploymentEventTrigger, EventTrigger, Posture
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import AutomationCore
from prefect.flow_runs import pause_flow_run, suspend_flow_run
from prefect.runtime import flow_run as runtime_flow_run
from prefect.schedules import Cron, Interval, RRule
from prefect.server.schemas import schedules as server_schedules

from simulator import Simulation, SimulationError
from simulator.versions import series

START = "2026-01-05T00:00:00Z"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def sim():
    with Simulation(start=START) as simulation:
        yield simulation


@flow
def nothing():
    pass


@flow
def sleeps(seconds: float = 60):
    time.sleep(seconds)


def names(run):
    return [state.name for state in run.states]


def scheduled(sim, deployment="nothing/dev", zone=UTC):
    runs = sim.runs(deployment=deployment)
    return [run.scheduled.astimezone(zone).strftime("%d %H:%M") for run in runs]


def overlaps(runs):
    """The largest number of runs at the same time."""
    events = sorted([(run.start, 1) for run in runs] + [(run.end, -1) for run in runs])
    most = running = 0
    for _, change in events:
        running += change
        most = max(most, running)
    return most


# -- schedules -----------------------------------------------------------------------------------------

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"

SCHEDULES = {
    "hourly": {"cron": "0 * * * *"},
    "in the hour that is missing": {"cron": "30 2 * * *"},
    "at the hour that is missing": {"cron": "0 2 * * *"},
    "after the hour that is missing": {"cron": "0 3 * * *"},
    "midnight": {"cron": "0 0 * * *"},
    "every twenty minutes of the night": {"cron": "*/20 1-3 * * *"},
    "every six hours": {"interval": timedelta(hours=6)},
    "daily by interval": {"interval": timedelta(days=1)},
    # Without a beginning Prefect counts an rrule from 2020 on, every time: half a second of work.
    "rrule daily": {"rrule": "DTSTART:20260101T023000\nFREQ=DAILY"},
    "rrule hourly": {"rrule": "DTSTART:20260101T000000\nFREQ=HOURLY"},
}


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        ("2026-03-28T18:00:00Z", BERLIN),
        ("2026-10-24T18:00:00Z", BERLIN),
        ("2026-03-08T00:00:00Z", NEW_YORK),
        ("2026-11-01T00:00:00Z", NEW_YORK),
    ],
)
def test_schedules_keep_prefects_dates_across_a_change_of_the_clocks(start, zone):
    with Simulation(start=start) as sim:
        for name, schedule in SCHEDULES.items():
            sim.deploy(nothing, name=name, timezone=zone, **schedule)
        sim.stop_worker()  # when they are made is what matters, not that they run
        with get_client(sync_client=True) as client:
            kept = {
                name: client.read_deployment_by_name(f"nothing/{name}").schedules[0].schedule
                for name in SCHEDULES
            }
        sim.advance(hours=22)
        got = {
            name: [run.scheduled for run in sim.runs(deployment=f"nothing/{name}")]
            for name in SCHEDULES
        }
    began = datetime.fromisoformat(start)
    ended = began + timedelta(hours=22)
    for name, schedule in kept.items():
        own = getattr(server_schedules, type(schedule).__name__)(**schedule.model_dump())
        dates = asyncio.run(own.get_dates(n=200, start=began, end=ended))
        # In an hour that comes twice, instants of two zones are never equal.
        expected = [date.astimezone(UTC) for date in dates]
        assert got[name] == [date for date in expected if began < date < ended], name


def test_an_hour_that_is_missing_moves_a_daily_cron():
    """Prefect 3.8 computes with pendulum up to Python 3.12, which goes back; whenever goes on."""
    pendulum = series() == "3.8" and sys.version_info < (3, 13)
    moved = "29 01:30" if pendulum else "29 03:30"
    with Simulation(start="2026-03-28T00:00:00Z") as sim:
        sim.deploy(nothing, name="dev", cron="30 2 * * *", timezone=BERLIN)
        sim.advance(days=3)
        assert scheduled(sim, zone=ZoneInfo(BERLIN)) == ["28 02:30", moved, "30 02:30"]


def test_a_flow_tells_an_hour_from_its_repetition():
    told = []

    @flow(name="tells")
    def tells():
        told.append(datetime.now(ZoneInfo(BERLIN)))

    with Simulation(start="2026-10-24T23:59:00Z") as sim:
        sim.deploy(tells, name="dev", cron="30 * * * *", timezone="UTC")
        sim.advance(hours=2)
    assert [instant.strftime("%H:%M %z") for instant in told] == ["02:30 +0200", "02:30 +0100"]


def test_an_hour_that_comes_twice_is_run_once():
    with Simulation(start="2026-10-24T22:30:00Z") as sim:
        sim.deploy(nothing, name="dev", cron="0 * * * *", timezone=BERLIN)
        sim.deploy(nothing, name="utc", cron="0 * * * *", timezone="UTC")
        sim.advance(hours=4)
        assert scheduled(sim) == ["24 23:00", "25 00:00", "25 02:00"]
        assert scheduled(sim, "nothing/utc") == ["24 23:00", "25 00:00", "25 01:00", "25 02:00"]


def test_two_crons_five_minutes_apart_stay_so_across_the_change():
    with Simulation(start="2026-03-27T12:00:00Z") as sim:
        sim.deploy(nothing, name="export", cron="0 0 * * *", timezone=BERLIN)
        sim.deploy(nothing, name="dbt", cron="5 0 * * *", timezone=BERLIN)
        sim.advance(days=4)
        gaps = {
            after.scheduled - before.scheduled
            for before, after in zip(
                sim.runs(deployment="nothing/export"),
                sim.runs(deployment="nothing/dbt"),
                strict=True,
            )
        }
        assert gaps == {5 * MINUTE}


def test_several_schedules_of_one_deployment(sim):
    sim.deploy(
        nothing,
        name="dev",
        schedules=[
            Cron("0 6 * * *"),
            Interval(timedelta(hours=8), anchor_date=datetime(2026, 1, 1, tzinfo=UTC)),
            RRule("FREQ=DAILY;BYHOUR=12;BYMINUTE=15;BYSECOND=0"),
        ],
    )
    sim.advance(days=1)
    assert scheduled(sim) == ["05 06:00", "05 08:00", "05 12:15", "05 16:00"]


def test_several_crons_in_one_time_zone(sim):
    sim.deploy(nothing, name="dev", cron=["0 6 * * *", "0 18 * * *"], timezone=BERLIN)
    sim.advance(days=1)
    assert scheduled(sim) == ["05 05:00", "05 17:00"]


@pytest.mark.parametrize(
    "schedule",
    [
        {"cron": "0 0 * * *"},
        {"rrule": "DTSTART:20260105T000000\nFREQ=DAILY"},
        {"interval": 24 * HOUR},
    ],
    ids=["cron", "rrule", "interval"],
)
def test_a_schedule_of_the_very_instant_of_its_deployment_fires_at_its_next_date(sim, schedule):
    assert sim.now == sim.start
    sim.deploy(nothing, name="dev", **schedule)
    sim.advance(days=2.5)
    assert scheduled(sim) == ["06 00:00", "07 00:00"]


def test_a_run_that_is_due_at_the_end_of_a_step_begins_with_the_next(sim):
    sim.deploy(nothing, name="dev", cron="0 * * * *")
    for hour in range(1, 4):
        sim.advance(hours=1)
        assert len(sim.runs("nothing")) == hour - 1
    (due,) = sim.history().upcoming("nothing")[:1]
    assert due.scheduled == sim.now
    sim.advance(seconds=1)
    assert [run.state for run in sim.runs("nothing")] == ["Completed"] * 3
    assert [run.start for run in sim.runs("nothing")] == [
        run.scheduled for run in sim.runs("nothing")
    ]


def test_an_interval_counts_from_its_deployment_in_full_seconds(sim):
    sim.advance(minutes=7)
    sim.deploy(nothing, name="dev", interval=timedelta(hours=6))
    sim.advance(days=1)
    assert scheduled(sim) == ["05 06:07", "05 12:07", "05 18:07"]
    assert {run.scheduled.microsecond for run in sim.runs("nothing")} == {0}


def test_schedules_of_the_client_are_taken_too(sim):
    sim.deploy(nothing, name="a", schedules=[CronSchedule(cron="0 6 * * *", timezone=BERLIN)])
    sim.deploy(nothing, name="b", schedules=[IntervalSchedule(interval=timedelta(hours=9))])
    sim.deploy(nothing, name="c", schedule=RRuleSchedule(rrule="FREQ=HOURLY;INTERVAL=11"))
    sim.advance(days=1)
    assert scheduled(sim, "nothing/a") == ["05 05:00"]
    assert len(scheduled(sim, "nothing/b")) in (2, 3)
    assert len(scheduled(sim, "nothing/c")) in (2, 3)


def test_a_schedule_with_its_own_parameters(sim):
    got = []

    @flow(name="takes")
    def takes(value: int, other: str = "x"):
        got.append((value, other))

    sim.deploy(
        takes,
        name="dev",
        parameters={"value": 1},
        schedules=[Cron("0 * * * *", parameters={"other": "y"}), Cron("30 * * * *")],
    )
    sim.advance(hours=2, minutes=1)
    assert got == [(1, "x"), (1, "y"), (1, "x"), (1, "y")]


def test_an_rrule_with_a_count_ends(sim):
    sim.deploy(nothing, name="dev", rrule="DTSTART:20260105T060000\nFREQ=DAILY;COUNT=3")
    sim.advance(days=10)
    assert scheduled(sim) == ["05 06:00", "06 06:00", "07 06:00"]


def test_an_rrule_with_an_end_ends(sim):
    sim.deploy(
        nothing, name="dev", rrule="DTSTART:20260105T060000\nFREQ=DAILY;UNTIL=20260107T235959"
    )
    sim.advance(days=10)
    assert scheduled(sim) == ["05 06:00", "06 06:00", "07 06:00"]


def test_a_yearly_cron_runs_though_it_is_beyond_the_schedulers_horizon(sim):
    sim.deploy(nothing, name="dev", cron="0 0 1 7 *")
    sim.advance(days=365)
    (run,) = sim.runs("nothing")
    assert run.state == "Completed"
    assert run.scheduled == datetime(2026, 7, 1, tzinfo=UTC)


def test_a_deployment_without_a_schedule_never_runs(sim):
    sim.deploy(nothing, name="dev")
    sim.advance(days=30)
    assert not sim.runs("nothing")


def test_a_paused_deployment_runs_once_it_is_resumed(sim):
    deployment = sim.deploy(nothing, name="dev", cron="0 * * * *", paused=True)
    sim.advance(hours=3)
    assert not sim.runs("nothing")
    with get_client(sync_client=True) as client:
        client.resume_deployment(deployment)
        sim.advance(hours=2, minutes=1)
        assert scheduled(sim) == ["05 04:00", "05 05:00"]
        client.pause_deployment(deployment)
        sim.advance(hours=3)
    assert scheduled(sim) == ["05 04:00", "05 05:00"]
    assert not sim.history().upcoming()


def test_a_schedule_is_paused_resumed_and_deleted_in_the_middle(sim):
    deployment = sim.deploy(nothing, name="dev", cron="0 * * * *")
    with get_client(sync_client=True) as client:
        sim.advance(hours=2, minutes=30)
        (schedule,) = client.read_deployment_schedules(deployment)
        client.update_deployment_schedule(deployment, schedule.id, active=False)
        sim.advance(hours=2)
        client.update_deployment_schedule(deployment, schedule.id, active=True)
        sim.advance(hours=2)
        client.delete_deployment_schedule(deployment, schedule.id)
        sim.advance(hours=2)
    assert scheduled(sim) == ["05 01:00", "05 02:00", "05 05:00", "05 06:00"]


def test_another_schedule_takes_the_place_of_the_first(sim):
    sim.deploy(nothing, name="dev", cron="0 * * * *")
    sim.advance(hours=2, minutes=10)
    sim.deploy(nothing, name="dev", cron="30 * * * *")
    sim.advance(hours=2)
    assert scheduled(sim) == ["05 01:00", "05 02:00", "05 02:30", "05 03:30"]


def test_a_deleted_deployment_runs_no_more(sim):
    deployment = sim.deploy(nothing, name="dev", cron="0 * * * *")
    sim.advance(hours=2, minutes=30)
    with get_client(sync_client=True) as client:
        client.delete_deployment(deployment)
    sim.advance(hours=5)
    assert len(sim.runs("nothing", state="Completed")) == 2


def test_a_new_deployment_is_scheduled_within_five_seconds(sim):
    sim.advance(minutes=7, seconds=12)
    sim.deploy(nothing, name="dev", cron="* * * * *")
    sim.advance(minutes=1)
    (run,) = sim.runs("nothing")
    assert run.scheduled == datetime(2026, 1, 5, 0, 8, tzinfo=UTC)
    assert run.states[0].timestamp.replace(microsecond=0) == datetime(
        2026, 1, 5, 0, 7, 15, tzinfo=UTC
    )


def test_the_scheduler_is_called_about_once_a_run(sim):
    sim.deploy(nothing, name="dev", cron="0 * * * *")
    sim.advance(days=1)
    fired = {loop.name: loop.fired for loop in sim._world.services.loops}
    assert fired["scheduler"] <= 25
    assert fired["recent deployments"] <= 2
    others = {name: n for name, n in fired.items() if n and name not in ("scheduler",)}
    assert set(others) <= {"recent deployments"}
    assert next(iter(sim._world.pools["default"]))._polls.fired <= 25


@pytest.mark.parametrize("cron", [None, "0 0 1 1 *"])
def test_a_quiet_month_costs_nothing(sim, cron):
    sim.deploy(nothing, name="dev", cron=cron)
    sim.deploy(nothing, name="ended", rrule="DTSTART:20260105T000500\nFREQ=DAILY;COUNT=1")
    sim.advance(hours=1)
    before = {loop.name: loop.fired for loop in sim._world.services.loops}
    jumps = sim._world.clock.jumps
    sim.advance(days=30)
    after = {loop.name: loop.fired - before[loop.name] for loop in sim._world.services.loops}
    assert after.pop("scheduler") <= 31  # asked once a day for what it has nothing for
    assert set(after.values()) == {0}
    assert sim._world.clock.jumps - jumps <= 100


# -- what a run is given -----------------------------------------------------------------------------------


def test_parameters_tags_and_names(sim):
    @flow(name="templated", flow_run_name="load-{source}-{day}")
    def templated(source: str, day: str = "today"):
        pass

    sim.deploy(
        templated, name="dev", parameters={"source": "shop"}, tags=["etl", "shop"], cron="0 * * * *"
    )
    sim.trigger("templated/dev", parameters={"day": "monday"})
    sim.advance(hours=1, minutes=1)
    triggered, by_schedule = sim.runs("templated")
    assert triggered.name == "load-shop-monday"
    assert triggered.parameters == {"source": "shop", "day": "monday"}
    assert set(triggered.tags) == {"etl", "shop"}
    assert by_schedule.name == "load-shop-today"
    assert by_schedule.parameters == {"source": "shop"}
    assert set(by_schedule.tags) == {"auto-scheduled", "etl", "shop"}


def test_a_run_knows_itself_through_the_runtime(sim):
    known = {}

    @flow(name="asks")
    def asks():
        from prefect.runtime import deployment

        known.update(
            flow=runtime_flow_run.flow_name,
            scheduled=runtime_flow_run.scheduled_start_time,
            deployment=deployment.name,
            count=runtime_flow_run.run_count,
        )

    sim.deploy(asks, name="dev", cron="0 * * * *")
    sim.advance(hours=1, minutes=1)
    assert known["flow"] == "asks"
    assert known["deployment"] == "dev"
    assert known["count"] == 1
    assert known["scheduled"] == datetime(2026, 1, 5, 1, tzinfo=UTC)


def test_run_deployment_passes_parameters_tags_and_names_on(sim):
    @flow(name="child")
    def child(day: str):
        pass

    @flow(name="parent")
    def parent(day: str):
        run_deployment(
            "child/dev", parameters={"day": day}, tags=["from-parent"], flow_run_name="by-hand"
        )

    sim.deploy(child, name="dev")
    (run,) = sim.run(parent, day="2026-01-05").children
    assert run.name == "by-hand"
    assert run.parameters == {"day": "2026-01-05"}
    assert "from-parent" in run.tags


def test_a_child_ordered_for_later(sim):
    @flow(name="orders")
    def orders():
        later = datetime.now(UTC) + HOUR
        run_deployment("nothing/dev", scheduled_time=later, timeout=0)

    sim.deploy(nothing, name="dev")
    run = sim.run(orders)
    sim.advance(hours=2)
    (child,) = sim.history().run(run.id).children
    assert timedelta(0) <= child.start - run.start - HOUR <= SECOND


def test_bad_parameters_fail_as_prefect_says(sim):
    @flow(name="typed")
    def typed(value: int):
        pass

    sim.deploy(typed, name="dev", enforce_parameter_schema=False)
    run = sim.trigger("typed/dev", parameters={"value": "no number"})
    sim.advance(minutes=1)
    failed = sim.history().run(run)
    assert failed.state == "Failed"
    assert "Validation of flow parameters failed" in failed.message


# -- retries ---------------------------------------------------------------------------------------------


def attempts_of(run):
    return [name for name in names(run) if name in ("Running", "AwaitingRetry", "Retrying")]


@pytest.mark.parametrize("deployed", [True, False])
def test_a_flow_that_retries_waits_for_its_delay(sim, deployed):
    times = []

    @flow(name="flaky", retries=2, retry_delay_seconds=300)
    def flaky():
        times.append(sim.now)
        if len(times) < 3:
            raise ValueError("not yet")

    if deployed:
        sim.deploy(flaky, name="dev")
        sim.trigger("flaky/dev")
        sim.advance(minutes=30)
        (run,) = sim.runs("flaky")
    else:
        run = sim.run(flaky)
    assert run.state == "Completed"
    assert run.run_count == 3
    assert names(run)[-5:] == ["AwaitingRetry", "Running", "AwaitingRetry", "Running", "Completed"]
    for before, after in pairwise(times):
        assert timedelta(0) <= after - before - 5 * MINUTE <= SECOND


def test_an_in_process_retry_is_no_business_of_the_worker(sim):
    @flow(name="flaky", retries=1, retry_delay_seconds=6 * 3600)
    def flaky():
        raise ValueError("never")

    sim.deploy(flaky, name="dev")
    sim.trigger("flaky/dev")
    sim.advance(days=1)
    (run,) = sim.runs("flaky")
    assert names(run) == [
        "Scheduled", "Pending", "Submitting", "Running", "AwaitingRetry", "Running", "Failed"
    ]  # fmt: skip
    assert next(iter(sim._world.pools["default"]))._polls.fired <= 2


# -- limits of a deployment --------------------------------------------------------------------------------

SLOT = "AwaitingConcurrencySlot"


def test_a_deployments_limit_makes_the_others_wait_thirty_seconds_at_a_time(sim):
    sim.deploy(sleeps, name="dev", concurrency_limit=1)
    for _ in range(2):
        sim.trigger("sleeps/dev", parameters={"seconds": 90})
    sim.advance(minutes=10)
    first, second = sim.runs("sleeps")
    assert names(first) == ["Scheduled", "Pending", "Submitting", "Running", "Completed"]
    waits = [state.timestamp for state in second.states if state.name == SLOT]
    assert second.state == "Completed"
    assert second.start >= first.end
    assert len(waits) >= 3
    # Due after thirty seconds, and taken by a poll up to ten seconds before that.
    for before, after in pairwise(waits):
        assert 20 * SECOND <= after - before <= 31 * SECOND
    assert overlaps([first, second]) == 1
    assert second.start - first.end <= 31 * SECOND


def test_a_deployments_limit_that_cancels(sim):
    sim.deploy(
        sleeps,
        name="dev",
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
    )
    for _ in range(3):
        sim.trigger("sleeps/dev", parameters={"seconds": 90})
    sim.advance(minutes=10)
    runs = sim.runs("sleeps")
    assert sorted(run.state for run in runs) == ["Cancelled", "Cancelled", "Completed"]
    for run in runs:
        if run.state == "Cancelled":
            assert names(run) == ["Scheduled", "Cancelled"]
            assert run.message == "Deployment concurrency limit reached."


def test_a_late_run_of_a_full_deployment_that_cancels_is_cancelled(sim):
    config = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    sim.deploy(sleeps, name="dev", concurrency_limit=config)
    sim.trigger("sleeps/dev", parameters={"seconds": 600})
    sim.advance(seconds=30)
    sim.stop_worker()
    late = sim.trigger("sleeps/dev")
    sim.advance(minutes=2)
    assert names(sim.history().run(late)) == ["Scheduled", "Cancelled"]


def test_a_long_run_keeps_its_deployments_slot(sim):
    sim.deploy(sleeps, name="dev", concurrency_limit=1)
    sim.trigger("sleeps/dev", parameters={"seconds": 20 * 60})  # a lease is for five minutes
    sim.advance(minutes=12)
    sim.trigger("sleeps/dev", parameters={"seconds": 60})
    sim.advance(minutes=12)
    first, second = sim.runs("sleeps")
    assert [first.state, second.state] == ["Completed", "Completed"]
    assert timedelta(0) <= second.start - first.end <= 31 * SECOND


def test_a_killed_run_frees_its_deployments_slot(sim):
    sim.deploy(sleeps, name="dev", concurrency_limit=1)
    first = sim.trigger("sleeps/dev", parameters={"seconds": 7200})
    sim.advance(minutes=10)
    sim.kill(first)
    second = sim.trigger("sleeps/dev", parameters={"seconds": 60})
    sim.advance(minutes=10)
    assert sim.history().run(second).state == "Completed"


def test_limits_of_a_deployment_that_is_scheduled_faster_than_it_runs(sim):
    sim.deploy(sleeps, name="dev", cron="*/10 * * * *", parameters={"seconds": 1700})
    sim.deploy(
        sleeps, name="one", cron="*/10 * * * *", parameters={"seconds": 1700}, concurrency_limit=1
    )
    sim.advance(hours=1)
    assert overlaps(sim.runs(deployment="sleeps/dev", state="Completed")) == 3
    assert overlaps(sim.runs(deployment="sleeps/one", state="Completed")) == 1


# -- limits of tasks, of names, of rates ---------------------------------------------------------------------


@task(tags=["database"])
def queries(seconds: float = 60):
    time.sleep(seconds)


def test_a_limit_by_tag_holds_across_flows(sim):
    @flow(name="fans-out")
    def fans_out():
        for future in [queries.submit() for _ in range(3)]:
            future.wait()

    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("database", 2)
    sim.deploy(fans_out, name="dev")
    for _ in range(2):
        sim.trigger("fans-out/dev")
    sim.advance(minutes=30)
    runs = sim.runs("fans-out")
    assert [run.state for run in runs] == ["Completed"] * 2
    tasks = [one for run in runs for one in run.tasks]
    assert len(tasks) == 6
    assert overlaps(tasks) == 2


def test_a_limit_by_tag_is_seen_by_runs_that_come_after_it(sim):
    # Prefect remembers for five seconds, of real time and for the whole process, that there is none.
    @flow(name="fans-out")
    def fans_out():
        for future in [queries.submit() for _ in range(3)]:
            future.wait()

    assert overlaps(sim.run(fans_out).tasks) == 3
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("database", 1)
    assert overlaps(sim.run(fans_out).tasks) == 1


def limit(name, slots, decay=0.0):
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=name, limit=slots, slot_decay_per_second=decay)
        )


inside: list[tuple[str, datetime, datetime]] = []


@flow
def guarded(name: str, seconds: float = 60):
    with concurrency("shared-file", occupy=1):
        began = datetime.now(UTC)
        time.sleep(seconds)
        inside.append((name, began, datetime.now(UTC)))


@flow
async def aguarded(name: str, seconds: float = 60):
    async with aconcurrency("shared-file", occupy=1):
        began = datetime.now(UTC)
        await asyncio.sleep(seconds)
        inside.append((name, began, datetime.now(UTC)))


def apart(spans):
    spans = sorted(spans, key=lambda span: span[1])
    return all(after[1] >= before[2] for before, after in pairwise(spans))


@pytest.mark.parametrize("flow_", [guarded, aguarded], ids=["sync", "async"])
def test_a_global_limit_of_one_keeps_deployment_runs_apart(sim, flow_):
    inside.clear()
    limit("shared-file", 1)
    sim.deploy(flow_, name="dev")
    for index in range(5):
        sim.trigger(f"{flow_.name}/dev", parameters={"name": str(index)})
    sim.advance(hours=2)
    assert len(inside) == 5
    assert apart(inside)


def test_a_global_limit_keeps_gathered_subflows_apart(sim):
    @flow(name="gathers")
    async def gathers():
        await asyncio.gather(*(aguarded(str(index)) for index in range(4)))

    inside.clear()
    limit("shared-file", 1)
    assert sim.run(gathers).state == "Completed"
    assert len(inside) == 4
    assert apart(inside)


def order_of_the_guarded(seed):
    inside.clear()
    with Simulation(start=START, seed=seed) as sim:
        limit("shared-file", 1)
        sim.deploy(guarded, name="dev")
        sim.deploy(aguarded, name="dev")
        for index in range(5):
            which = "guarded/dev" if index % 2 else "aguarded/dev"
            sim.trigger(which, parameters={"name": str(index), "seconds": 20})
        sim.advance(minutes=5)
        order = [(name, began.replace(microsecond=0)) for name, began, _ in inside]
        return order, sim.history().normalised()


def test_who_gets_a_slot_when_depends_on_the_seed_alone():
    # Processes that compete for a slot ask again after random times.
    first, second, other = (order_of_the_guarded(seed) for seed in (3, 3, 4))
    assert len(first[0]) == 5
    assert first == second
    assert first != other


def test_a_limit_above_one_lets_so_many_in(sim):
    inside.clear()
    limit("shared-file", 3)
    sim.deploy(guarded, name="dev")
    for index in range(6):
        sim.trigger("guarded/dev", parameters={"name": str(index)})
    sim.advance(minutes=10)
    spans = sorted([(began, 1) for _, began, _ in inside] + [(ended, -1) for *_, ended in inside])
    most = running = 0
    for _, change in spans:
        running += change
        most = max(most, running)
    assert len(inside) == 6
    assert most == 3


def test_waiting_for_a_slot_gives_up_at_its_time_out(sim):
    @flow(name="impatient")
    def impatient():
        with concurrency("shared-file", occupy=1, timeout_seconds=120):
            pass

    limit("shared-file", 1)
    sim.deploy(guarded, name="dev")
    sim.trigger("guarded/dev", parameters={"name": "a", "seconds": 3600})
    sim.advance(minutes=1)
    run = sim.run(impatient)
    assert run.state == "TimedOut"  # the error is a TimeoutError
    assert "timed out after 120" in run.message
    assert 2 * MINUTE <= run.end - run.start <= 2 * MINUTE + SECOND


def test_a_limit_that_is_not_there_is_none_unless_strict(sim):
    @flow(name="lax")
    def lax(strict: bool):
        with concurrency("unknown", occupy=1, strict=strict):
            pass

    assert sim.run(lax, strict=False).state == "Completed"
    assert sim.run(lax, strict=True).state == "Failed"


def test_a_rate_limit_spaces_calls_out(sim):
    calls = []

    @flow(name="calls")
    def calls_out():
        for _ in range(6):
            rate_limit("api")
            calls.append(datetime.now(UTC))

    limit("api", 1, decay=1 / 60)
    run = sim.run(calls_out)
    assert run.state == "Completed"
    # One a minute in the long run; when exactly is left to chance, which the seed decides.
    assert 4 * MINUTE <= calls[-1] - calls[0] <= 15 * MINUTE


# -- pausing -----------------------------------------------------------------------------------------------


def test_a_paused_run_goes_on_when_it_is_resumed(sim):
    @flow(name="asks")
    def asks():
        pause_flow_run(timeout=24 * 3600, poll_interval=10)

    sim.deploy(asks, name="dev")
    run = sim.trigger("asks/dev")
    sim.advance(minutes=70)  # by default a pause ends after an hour
    assert sim.history().run(run).state == "Paused"
    with get_client(sync_client=True) as client:
        client.resume_flow_run(run)
    resumed = sim.now
    sim.advance(minutes=1)
    done = sim.history().run(run)
    assert names(done)[-3:] == ["Paused", "Running", "Completed"] or names(done)[-3:] == [
        "Paused", "Resuming", "Completed"
    ]  # fmt: skip
    assert timedelta(0) <= done.end - resumed <= 11 * SECOND


def test_a_pause_that_nobody_ends_fails_the_run(sim):
    @flow(name="asks")
    def asks():
        pause_flow_run(timeout=600)

    sim.deploy(asks, name="dev")
    run = sim.trigger("asks/dev")
    sim.advance(hours=1)
    failed = sim.history().run(run)
    assert names(failed)[-2:] == ["Paused", "Failed"]
    assert "never resumed" in failed.message
    paused = failed.states[-2].timestamp
    assert 10 * MINUTE <= failed.states[-1].timestamp - paused <= 10 * MINUTE + 11 * SECOND


def test_a_suspended_run_begins_anew_when_it_is_resumed(sim):
    begun = []

    @flow(name="asks")
    def asks():
        begun.append(sim.now)
        suspend_flow_run(timeout=24 * 3600)

    sim.deploy(asks, name="dev")
    run = sim.trigger("asks/dev")
    sim.advance(hours=5)
    assert sim.history().run(run).state == "Suspended"
    with get_client(sync_client=True) as client:
        client.resume_flow_run(run)
    sim.advance(minutes=1)
    done = sim.history().run(run)
    assert len(begun) == 2
    assert names(done)[3:] == [
        "Running", "Suspended", "Resuming", "Pending", "Submitting", "Running", "Completed"
    ]  # fmt: skip


def test_a_suspension_that_nobody_ends_fails_the_run(sim):
    @flow(name="asks")
    def asks():
        suspend_flow_run(timeout=3600)

    sim.deploy(asks, name="dev")
    run = sim.trigger("asks/dev")
    sim.advance(hours=2)
    failed = sim.history().run(run)
    assert names(failed)[-2:] == ["Suspended", "Failed"]
    assert failed.message == "The flow was paused and never resumed."
    ended = failed.states[-1].timestamp - failed.states[-2].timestamp
    assert HOUR <= ended <= HOUR + 6 * SECOND


def test_a_run_suspended_from_outside_stops_at_its_next_step(sim):
    from prefect.states import Suspended

    steps = []

    @task
    def step(index: int):
        steps.append(index)
        time.sleep(600)

    @flow(name="steps")
    def stepwise():
        for index in range(4):
            step(index)

    sim.deploy(stepwise, name="dev")
    run = sim.trigger("steps/dev")
    sim.advance(minutes=15)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Suspended(timeout_seconds=24 * 3600))
    sim.advance(hours=2)
    assert steps == [0, 1]
    assert sim.history().run(run).state == "Suspended"


# -- automations ---------------------------------------------------------------------------------------------


def on_state(state, deployment, flow_name, **options):
    return AutomationCore(
        name=f"after {flow_name} {state}",
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}"},
            match_related={"prefect.resource.name": flow_name, "prefect.resource.role": "flow"},
            posture=Posture.Reactive,
            threshold=1,
            **options,
        ),
        actions=[RunDeployment(source="selected", deployment_id=deployment, parameters={})],
    )


@flow
def cleanup():
    pass


@flow
def fails():
    time.sleep(120)
    raise ValueError("boom")


@pytest.mark.parametrize(
    ("upstream", "state"), [(sleeps, "Completed"), (fails, "Failed")], ids=["success", "failure"]
)
def test_an_automation_runs_a_deployment_after_another_flows_run(sim, upstream, state):
    target = sim.deploy(cleanup, name="dev")
    sim.deploy(upstream, name="dev", cron="0 * * * *")
    with get_client(sync_client=True) as client:
        client.create_automation(on_state(state, target, upstream.name))
    sim.advance(hours=3, minutes=30)
    runs, reactions = sim.runs(upstream.name), sim.runs("cleanup")
    assert [run.state for run in runs] == [state] * 3
    assert [run.state for run in reactions] == ["Completed"] * 3
    for run, reaction in zip(runs, reactions, strict=True):
        assert timedelta(0) <= reaction.scheduled - run.end <= SECOND
        assert timedelta(0) <= reaction.start - run.end <= 11 * SECOND


def test_an_automation_does_not_react_to_another_state(sim):
    target = sim.deploy(cleanup, name="dev")
    sim.deploy(sleeps, name="dev", cron="0 * * * *")
    with get_client(sync_client=True) as client:
        client.create_automation(on_state("Failed", target, "sleeps"))
    sim.advance(hours=3)
    assert not sim.runs("cleanup")


def test_triggers_of_a_deployment(sim):
    sim.deploy(sleeps, name="dev", cron="0 * * * *")
    sim.deploy(
        cleanup,
        name="dev",
        triggers=[
            DeploymentEventTrigger(
                expect={"prefect.flow-run.Completed"},
                match_related={"prefect.resource.name": "sleeps"},
            )
        ],
    )
    sim.advance(hours=3, minutes=30)
    assert len(sim.runs("sleeps")) == 3
    assert len(sim.runs("cleanup", state="Completed")) == 3


def test_automations_in_a_chain(sim):
    sim.deploy(nothing, name="dev", cron="0 * * * *")
    sim.deploy(sleeps, name="dev", triggers=[_after("nothing")])
    sim.deploy(cleanup, name="dev", triggers=[_after("sleeps")])
    sim.advance(hours=2, minutes=30)
    chains = [sim.runs(name, state="Completed") for name in ("nothing", "sleeps", "cleanup")]
    assert [len(runs) for runs in chains] == [2, 2, 2]


def _after(flow_name):
    return DeploymentEventTrigger(
        expect={"prefect.flow-run.Completed"},
        match_related={"prefect.resource.name": flow_name},
    )


def test_an_automation_that_is_deleted_reacts_no_more(sim):
    target = sim.deploy(cleanup, name="dev")
    sim.deploy(sleeps, name="dev", cron="0 * * * *")
    with get_client(sync_client=True) as client:
        automation = client.create_automation(on_state("Completed", target, "sleeps"))
        sim.advance(hours=1, minutes=30)
        client.delete_automation(automation)
    sim.advance(hours=3)
    assert len(sim.runs("cleanup")) == 1


def test_a_proactive_trigger_notices_what_does_not_happen(sim):
    @flow(name="alert")
    def alert():
        pass

    target = sim.deploy(alert, name="dev")
    sim.deploy(sleeps, name="dev", cron="0 * * * *")
    with get_client(sync_client=True) as client:
        client.create_automation(
            AutomationCore(
                name="stuck",
                trigger=EventTrigger(
                    after={"prefect.flow-run.Running"},
                    expect={"prefect.flow-run.Completed"},
                    match={"prefect.resource.id": "prefect.flow-run.*"},
                    match_related={"prefect.resource.name": "sleeps"},
                    for_each={"prefect.resource.id"},
                    posture=Posture.Proactive,
                    threshold=1,
                    within=timedelta(minutes=10),
                ),
                actions=[RunDeployment(source="selected", deployment_id=target, parameters={})],
            )
        )
    sim.advance(hours=3, minutes=30)
    assert not sim.runs("alert")
    stuck = sim.trigger("sleeps/dev", parameters={"seconds": 7200})
    sim.advance(hours=1)
    (alarm,) = sim.runs("alert")
    began = sim.history().run(stuck).start
    assert 10 * MINUTE <= alarm.scheduled - began <= 10 * MINUTE + 6 * SECOND
    fired = {loop.name: loop.fired for loop in sim._world.services.loops}
    assert fired["proactive triggers"] <= 12


def test_a_proactive_trigger_without_a_beginning_asks_in_every_window(sim):
    target = sim.deploy(cleanup, name="dev")
    sim.deploy(nothing, name="dev")
    with get_client(sync_client=True) as client:
        client.create_automation(
            AutomationCore(
                name="silence",
                trigger=EventTrigger(
                    expect={"prefect.flow-run.Completed"},
                    match_related={"prefect.resource.name": "nothing"},
                    posture=Posture.Proactive,
                    threshold=1,
                    within=timedelta(hours=1),
                ),
                actions=[RunDeployment(source="selected", deployment_id=target, parameters={})],
            )
        )
    sim.advance(hours=3, minutes=30)
    assert len(sim.runs("cleanup")) == 3
    sim.trigger("nothing/dev")  # in the fourth window, after which Prefect leaves one out
    sim.advance(hours=4)
    assert [
        round((run.start - sim.start) / timedelta(hours=1)) for run in sim.runs("cleanup")[3:]
    ] == [
        6,
        7,
    ]


def test_automations_of_one_simulation_do_not_reach_into_the_next():
    for _ in range(2):
        with Simulation(start=START) as sim:
            sim.deploy(sleeps, name="dev", cron="0 * * * *")
            sim.deploy(cleanup, name="dev", triggers=[_after("sleeps")])
            sim.advance(hours=1, minutes=30)
            assert len(sim.runs("cleanup")) == 1


def test_leases_of_one_simulation_do_not_reach_into_the_next():
    for _ in range(2):
        inside.clear()
        with Simulation(start=START) as sim:
            limit("shared-file", 1)
            sim.deploy(guarded, name="dev")
            sim.trigger("guarded/dev", parameters={"name": "a", "seconds": 7200})
            sim.advance(minutes=30)
            fired = {loop.name: loop.fired for loop in sim._world.services.loops}
            assert not inside
            assert fired["expired leases"] == 0


# -- clients -------------------------------------------------------------------------------------------------


def test_a_client_in_the_tests_own_thread(sim):
    sim.deploy(nothing, name="dev")
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("nothing/dev")
        run = client.create_flow_run_from_deployment(deployment.id)
        client.update_deployment(deployment.id, DeploymentUpdate(description="seen"))
    sim.advance(minutes=1)
    assert sim.history().run(run.id).state == "Completed"


def test_an_async_client_in_the_tests_own_thread(sim):
    async def ask():
        async with get_client() as client:
            return await client.read_deployments()

    sim.deploy(nothing, name="dev")
    assert [one.name for one in asyncio.run(ask())] == ["dev"]


def test_clients_inside_flows(sim):
    seen = []

    @flow(name="asks")
    def asks():
        with get_client(sync_client=True) as client:
            seen.append(len(client.read_flow_runs()))

    @flow(name="asks-async")
    async def asks_async():
        async with get_client() as client:
            seen.append(len(await client.read_flow_runs()))

    sim.run(asks)
    sim.run(asks_async)
    assert seen == [1, 2]


def test_a_client_reads_the_log_of_a_run_that_is_going_on(sim):
    seen = []

    @flow(name="chatty", log_prints=True)
    def chatty():
        for number in range(3):
            print("line", number)  # noqa: T201
            time.sleep(60)

    @flow(name="listens")
    def listens():
        run = run_deployment("chatty/dev", timeout=90)
        with get_client(sync_client=True) as client:
            lines = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
        seen.extend(line.message for line in lines if line.message.startswith("line"))

    sim.deploy(chatty, name="dev")
    run = sim.run(listens)
    assert seen == ["line 0", "line 1"]
    sim.advance(minutes=5)
    (chat,) = sim.history().run(run.id).children
    lines = [line.message for line in chat.logs if line.message.startswith("line")]
    assert lines == ["line 0", "line 1", "line 2"]


def test_a_flow_checks_when_another_last_succeeded(sim):
    from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    ages = []

    @flow(name="checks")
    def checks():
        with get_client(sync_client=True) as client:
            (newest,) = client.read_flow_runs(
                flow_filter=FlowFilter(name={"any_": ["nothing"]}),
                flow_run_filter=FlowRunFilter(state={"type": {"any_": ["COMPLETED"]}}),
                sort=FlowRunSort.END_TIME_DESC,
                limit=1,
            )
        ages.append(datetime.now(UTC) - newest.end_time)

    sim.deploy(nothing, name="dev", cron="0 1 * * *")
    sim.deploy(checks, name="dev", cron="0 2-4 * * *")
    sim.advance(hours=5)
    assert [round(age.total_seconds() / 3600) for age in ages] == [1, 2, 3]


def test_estimates_of_the_server_follow_the_clock(sim):
    sim.deploy(sleeps, name="dev")
    run = sim.trigger("sleeps/dev", parameters={"seconds": 7200})
    sim.advance(hours=1)
    with get_client(sync_client=True) as client:
        read = client.read_flow_run(run)
    assert abs(read.estimated_run_time - HOUR) <= 20 * SECOND


def test_nothing_listens_on_a_port(sim, monkeypatch):
    listening = []
    listen = socket.socket.listen
    monkeypatch.setattr(
        socket.socket, "listen", lambda self, *a: (listening.append(self), listen(self, *a))
    )
    sim.deploy(sleeps, name="dev", cron="*/10 * * * *", concurrency_limit=1)
    sim.advance(hours=1)
    assert len(sim.runs("sleeps", state="Completed")) == 5
    assert not listening


def test_a_setting_of_the_user_does_not_change_the_server(monkeypatch):
    from prefect.settings import (
        PREFECT_API_SERVICES_SCHEDULER_ENABLED,
        PREFECT_SERVER_API_AUTH_STRING,
        PREFECT_WORKER_QUERY_SECONDS,
        temporary_settings,
    )

    users = {
        PREFECT_API_SERVICES_SCHEDULER_ENABLED: False,
        PREFECT_SERVER_API_AUTH_STRING: "user:password",
        PREFECT_WORKER_QUERY_SECONDS: 3600,
    }
    with temporary_settings(users), Simulation(start=START) as sim:
        sim.deploy(nothing, name="dev", cron="0 * * * *")
        sim.advance(hours=2, minutes=1)
        assert len(sim.runs("nothing", state="Completed")) == 2


def test_an_application_made_before_the_simulation_has_none_of_the_users_settings(monkeypatch):
    from prefect.settings import (
        PREFECT_SERVER_API_AUTH_STRING,
        PREFECT_SERVER_API_BASE_PATH,
        temporary_settings,
    )

    from simulator.server import server

    monkeypatch.setattr(server, "_app", None)
    users = {PREFECT_SERVER_API_AUTH_STRING: "user:password", PREFECT_SERVER_API_BASE_PATH: "/mine"}
    with temporary_settings(users):
        made = server.application()
    assert "/api" in [getattr(route, "path", None) for route in made.routes]
    with Simulation(start=START) as sim:
        assert sim.run(nothing).state == "Completed"
    assert server.application() is made


# -- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cron": "61 * * * *"}, "61"),
        ({"cron": "every day"}, "every day"),
        ({"cron": "0 * * * *", "timezone": "Europe/Atlantis"}, "Atlantis"),
        ({"rrule": "FREQ=SOMETIMES"}, "SOMETIMES"),
    ],
)
def test_a_bad_schedule_gets_one_clear_line(sim, options, said):
    with pytest.raises(SimulationError) as refused:
        sim.deploy(nothing, name="dev", **options)
    message = str(refused.value)
    assert "\n" not in message
    assert "'nothing/dev'" in message
    assert said in message
    sim.advance(hours=1)
    assert not sim.runs("nothing")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interval": timedelta(0), "timezone": "UTC"}, "interval=0 s must be more than 0"),
        (
            {"interval": timedelta(hours=1), "cron": "0 * * * *"},
            "cron= and interval= say the same thing: give one of them",
        ),
    ],
)
def test_a_schedule_that_no_server_need_see_is_refused_at_once(sim, options, said):
    with pytest.raises(SimulationError) as refused:
        sim.deploy(nothing, name="dev", **options)
    assert str(refused.value) == said
    sim.advance(hours=1)
    assert not sim.runs("nothing")


def test_the_threads_that_serve_requests_end_with_the_server(monkeypatch):
    run = WorkerThread.run

    def lingering(thread):
        run(thread)
        lingered.append(thread)
        select.select([], [], [], 0.3)  # real seconds

    lingered = []
    monkeypatch.setattr(WorkerThread, "run", lingering)
    before = threading.enumerate()
    with Simulation(start=START), get_client(sync_client=True) as client:
        # One of Prefect's few endpoints that are plain functions, which FastAPI calls in a thread.
        client.request("POST", "/automations/templates/validate", json="{{ a }}")
    assert threading.enumerate() == before
    assert lingered
