"""What an exercise's check lets through, and what not; and what a lesson says with the knob turned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import prefect.runtime
import pytest
from prefect import flow, task
from prefect.client.schemas.objects import StateType
from prefect.deployments import run_deployment
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore
from prefect.states import Failed, State, raise_state_exception

from simulator import lessons
from simulator.lessons.course import backfill_and_catch_up as backfill
from simulator.lessons.course import cron_or_chaining as cron
from simulator.lessons.course import limits_and_shared_resources as limits
from simulator.lessons.course import masked_failures as masked
from simulator.lessons.course import subflow_or_deployment as subflow
from simulator.lessons.course import zombies_and_heartbeats as zombies
from simulator.lessons.playing import Lane, Played, simulate


@cache
def first_lane(name: str) -> Lane:
    lesson = lessons.load(name)
    lane, way = next(iter(lesson.lanes.items()))
    return simulate(lesson, lane, way, lesson.knob.value, 0)


def tried(name: str, way: Any) -> Played:
    """The lesson with what somebody has tried in its second lane."""
    lesson, value = lessons.load(name), lessons.load(name).knob.value
    return Played(lesson, value, 0, first_lane(name), simulate(lesson, "mine", way, value, 0))


@cache
def turned(name: str, value: float, seed: int = 0, *, solution: bool = False) -> Played:
    return lessons.play(lessons.load(name), value, seed, solution=solution)


# -- what is no solution ---------------------------------------------------------------------------


def only_one_step() -> None:
    raise_state_exception(run_deployment("transform-load/dev").state)


def nobody_waits() -> None:
    subflow.extract()
    run_deployment("transform-load/dev", timeout=0)
    subflow.clean_up()


def cleans_up_before() -> None:
    masked.clean_up()
    masked.load()


def always_failed() -> State[None]:
    masked.load(return_state=True)
    masked.clean_up()
    return Failed()


def no_report() -> None: ...


def report_or_fail() -> None:
    if not cron.is_there(cron.this_hour()):
        raise ValueError("no feed")
    cron.report.fn()


def one_child() -> None:
    async def child() -> None:
        await limits.unguarded()

    asyncio.run(child())


def looks_away() -> None:
    task(name="ask", retries=3, retry_delay_seconds=10)(no_report)(return_state=True)


def called_completed(silence: timedelta, deployment: UUID) -> list[AutomationCore]:
    trigger = zombies.SILENT.model_copy(update={"within": silence})
    done = ChangeFlowRunState(state=StateType.COMPLETED)
    return [AutomationCore(name="zombies", trigger=trigger, actions=[done])]


def typed_wrong() -> None:
    with backfill.concurrency("sauce", occupy=1):
        backfill.fetch(prefect.runtime.flow_run.scheduled_start_time.date())


def without_a_task() -> None:
    backfill.fetch.fn(prefect.runtime.flow_run.scheduled_start_time.date())


WRONG: dict[str, tuple[str, Callable[[], Any], str]] = {
    "a chain of one step": (
        "subflow-or-deployment",
        lambda: flow(name="chain")(only_one_step),
        "one after another it did: transform-load",
    ),
    "a chain that does not wait": (
        "subflow-or-deployment",
        lambda: flow(name="chain")(nobody_waits),
        "one after another it did: not all",
    ),
    "cleaned up before the load": (
        "masked-failures",
        lambda: flow(name="parent")(cleans_up_before),
        "a parent has not cleaned up behind its load",
    ),
    "Failed whatever the load": (
        "masked-failures",
        lambda: flow(name="parent")(always_failed),
        "a parent is Failed whose load has not failed",
    ),
    "a report of nothing": (
        "cron-or-chaining",
        lambda: (cron.export, flow(name="report")(no_report), True),
        "4 hours without a report",
    ),
    "a report that fails": (
        "cron-or-chaining",
        lambda: (cron.export, flow(name="report")(report_or_fail), True),
        "a report is not Completed",
    ),
    "one child": (
        "limits-and-shared-resources",
        lambda: flow(name="parent")(one_child),
        "1 of 6 children were Completed",
    ),
    "a failure that nobody looks at": (
        "retries-and-outages",
        lambda: flow(name="load")(looks_away),
        "the run of the outage ended 3 min 30 s before the API was back, with no answer",
    ),
    "dead, and called Completed": (
        "zombies-and-heartbeats",
        lambda: called_completed,
        "the job has not been done",
    ),
    "a limit that is not there": (
        "backfill-and-catch-up",
        lambda: flow(name="load")(typed_wrong),
        "3 fetches go on at once",
    ),
    "no task at all": (
        "backfill-and-catch-up",
        lambda: flow(name="load")(without_a_task),
        "the task fetch has not run",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_solution_is_told_why(case: str) -> None:
    name, way, missing = WRONG[case]
    assert tried(name, way()).missing == missing


# -- what is one, in another way than the lesson's -------------------------------------------------


def not_linked() -> None:
    subflow.extract()
    flow_run = run_deployment("transform-load/dev", as_subflow=False)
    raise_state_exception(flow_run.state)
    subflow.clean_up()


def by_finally() -> None:
    try:
        masked.load()
    finally:
        masked.clean_up()


def asks_once() -> None:
    task(name="ask")(no_report)()


OTHER: dict[str, tuple[str, Callable[[], Any]]] = {
    "not linked to its parent": (
        "subflow-or-deployment",
        lambda: flow(name="chain")(not_linked),
    ),
    "finally": ("masked-failures", lambda: flow(name="parent")(by_finally)),
    "a report that is retried": (
        "cron-or-chaining",
        lambda: (
            cron.export,
            flow(name="report", retries=30, retry_delay_seconds=60)(report_or_fail),
            True,
        ),
    ),
    "a flow that is retried": (
        "retries-and-outages",
        lambda: flow(name="load", retries=9, retry_delay_seconds=60)(asks_once),
    ),
}


@pytest.mark.parametrize("case", OTHER)
def test_another_solution_is_one(case: str) -> None:
    name, way = OTHER[case]
    assert tried(name, way()).missing == ""


# -- with the knob turned --------------------------------------------------------------------------


def test_a_run_of_days_does_not_prove_that_something_never_comes() -> None:
    """Sixty hours after Monday's forecast there is no parent any more that could make the second."""
    one = turned("cadence-and-caching", 60)
    assert one.first.figures["the second after"] == "more than 2 d 16 h"
    assert one.right == 0


def test_a_report_of_the_first_hour_lacks_a_feed_and_shows_no_other() -> None:
    """No export is through within a minute, and there is no hour before the first."""
    one = turned("cron-or-chaining", 1, solution=True)
    assert one.sentence == (
        "In 4 hours of 4 the export took longer than the gap, and by two crons 4 reports of 4 lacked"
        " the hour's feed; in the other lane 0 reports of 4 did."
    )
    assert one.missing == ""
    assert one.second.figures["reports that are not Completed"] == 0


def test_runs_of_which_no_two_catch_up_show_nothing() -> None:
    one = turned("backfill-and-catch-up", 1)
    assert (one.right, one.missing) == (0, "no two runs catch up, so nothing is shown")
