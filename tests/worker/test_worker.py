"""The worker and its processes: what becomes of runs that are cancelled, killed, late or limited.

The states and messages are those that a real Prefect 3.8.8 server and process worker write; they were
read off one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from datetime import timedelta

import pytest
from prefect import flow, get_run_logger, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.events.related import RESOURCE_CACHE
from prefect.events.worker import EventsWorker
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelling

from simulator import Simulation, SimulationError
from simulator.process import current_process

START = "2026-01-05T00:00:00Z"
SECOND = timedelta(seconds=1)

hooks: list[tuple[str, str]] = []


def on_cancel(flow, flow_run, state):
    hooks.append(("cancellation", state.name))


def on_crash(flow, flow_run, state):
    hooks.append(("crashed", state.name))


seen: list[BaseException] = []


@flow(on_cancellation=[on_cancel], on_crashed=[on_crash])
def sleeps(seconds: float = 3600):
    try:
        time.sleep(seconds)
    except BaseException as error:
        seen.append(error)
        raise


@flow
async def asleeps(seconds: float = 3600):
    try:
        await asyncio.sleep(seconds)
    except BaseException as error:
        seen.append(error)
        raise


@task
def sleeps_in_task(seconds: float = 3600):
    time.sleep(seconds)


@flow
def nothing():
    pass


@pytest.fixture
def sim():
    hooks.clear()
    seen.clear()
    with Simulation(start=START) as simulation:
        yield simulation


def begin(sim, flow, **parameters):
    """Trigger a run of `flow` and let it get on its way. Returns its id."""
    sim.deploy(flow, name="dev")
    run = sim.trigger(f"{flow.name}/dev", parameters=parameters)
    sim.advance(seconds=30)
    return run


def ran(sim, flow, **parameters):
    """The record of such a run, half a minute later."""
    run = begin(sim, flow, **parameters)
    return sim.history().run(run)


def cancel(run):
    with get_client(sync_client=True) as client:
        return client.set_flow_run_state(run, Cancelling())


def names(run):
    return [state.name for state in run.states]


def messages(run):
    return [line.message for line in run.logs]


TAKEN = ["Scheduled", "Pending", "Submitting", "Running"]

# -- ends of a process ---------------------------------------------------------------------------------


def test_a_run_goes_through_the_states_of_a_real_worker(sim):
    run = ran(sim, nothing)
    assert names(run) == [*TAKEN, "Completed"]
    assert [line.logger for line in run.logs][:2] == ["prefect.flow_runs.worker"] * 2
    assert f"Flow run '{run.name}' submitted to infrastructure" in messages(run)


def test_a_failed_flow_is_failed_not_crashed(sim):
    @flow(name="fails")
    def fails():
        raise ValueError("boom")

    run = ran(sim, fails)
    assert names(run) == [*TAKEN, "Failed"]
    assert run.message == "Flow run encountered an exception: ValueError: boom"
    assert "Engine execution exited with unexpected exception" in messages(run)[-1]


@pytest.mark.parametrize("code", [0, 3])
def test_sys_exit_is_a_crash(sim, code):
    @flow(name="exits")
    def exits(code: int):
        sys.exit(code)

    run = ran(sim, exits, code=code)
    assert names(run) == [*TAKEN, "Crashed"]
    assert run.message == "Execution was aborted by Python system exit call."


def test_a_keyboard_interrupt_is_a_crash(sim):
    @flow(name="interrupted")
    def interrupted():
        raise KeyboardInterrupt

    run = ran(sim, interrupted)
    assert names(run) == [*TAKEN, "Crashed"]
    assert run.message == "Execution was aborted by an interrupt signal."


def test_a_flow_that_leaves_by_os_exit_takes_only_its_own_process_along(sim):
    after = []

    @flow(name="leaves")
    def leaves():
        try:
            os._exit(3)
        finally:
            after.append("tidied up")

    run = ran(sim, leaves)
    assert names(run) == [*TAKEN, "Crashed"]
    assert run.message == (
        "Process exited with status code: 3. Process exited with an unexpected status code."
    )
    assert not after


def test_a_flow_that_sends_itself_sigterm_sees_it(sim):
    @flow(name="terminates")
    def terminates():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    run = ran(sim, terminates)
    assert names(run) == [*TAKEN, "Crashed"]
    assert run.message == "Execution was aborted by a termination signal."
    assert run.end - run.start < SECOND


def test_a_flow_that_sends_itself_sigkill_is_gone(sim):
    @flow(name="kills")
    def kills():
        os.kill(os.getpid(), signal.SIGKILL)

    run = ran(sim, kills)
    assert run.state == "Crashed"
    assert run.message.startswith("Process exited with status code: -9.")


@pytest.mark.parametrize(
    ("ending", "state"), [(lambda: None, "Completed"), (lambda: os._exit(1), "Crashed")]
)
def test_what_a_process_has_emitted_arrives_when_it_is_gone(sim, monkeypatch, ending, state):
    """One worker sends the events of all processes: an unanswered request would hold up the rest."""
    processes = []
    handle = EventsWorker._handle

    async def handle_late(worker, event):
        while any(process.alive for process in processes):
            await asyncio.sleep(0)
        RESOURCE_CACHE.clear()  # so that it asks the server, in the context of whoever emitted it
        await handle(worker, event)

    monkeypatch.setattr(EventsWorker, "_handle", handle_late)

    @task
    def tells():
        emit_event("told", resource={"prefect.resource.id": "a.story"})

    @flow
    def ends():
        processes.append(current_process())
        tells()
        ending()

    begin(sim, ends)
    sim.advance(minutes=1)
    sim.run(flow(tells.fn, name="later"))
    sim.advance(seconds=10)
    (run,) = sim.runs("ends")
    assert run.state == state
    assert [(one.name[:5], one.state) for one in run.tasks] == [("tells", "Completed")]
    with get_client(sync_client=True) as client:
        wanted = {"filter": {"event": {"name": ["told"]}}}
        assert client.request("POST", "/events/filter", json=wanted).json()["total"] == 2


def test_a_generator_flow_is_run_to_its_end(sim):
    @flow(name="yields")
    def yields():
        yield 1
        time.sleep(10)
        yield 2

    run = ran(sim, yields)
    assert run.state == "Completed"
    assert run.end - run.start >= 10 * SECOND


# -- kill ------------------------------------------------------------------------------------------------


def test_kill_ends_a_run_at_once_and_without_a_finally(sim):
    run = begin(sim, sleeps)
    sim.kill(run)
    sim.advance(seconds=1)
    killed = sim.history().run(run)
    assert names(killed) == [*TAKEN, "Crashed"]
    assert killed.message == (
        "Process exited with status code: -9. Process exited due to a SIGKILL signal. Typically"
        " caused by the operating system terminating the process for exceeding memory limits, or by"
        " manual cancellation."
    )
    assert killed.end - killed.start < 31 * SECOND
    sim.advance(hours=2)
    assert not seen
    assert hooks == [("crashed", "Crashed")]
    assert names(sim.history().run(run)) == names(killed)


def test_kill_of_an_async_run(sim):
    run = begin(sim, asleeps)
    sim.kill(run)
    sim.advance(hours=2)
    assert sim.history().run(run).state == "Crashed"
    assert not seen


def test_kill_for_want_of_memory_in_a_container(sim):
    run = begin(sim, sleeps)
    sim.kill(run, exit_code=137)
    sim.advance(seconds=1)
    assert sim.history().run(run).message == (
        "Process exited with status code: 137. Process was killed, likely due to an out-of-memory"
        " (OOM) condition."
    )


@pytest.mark.parametrize("code", [-15, 143])
def test_kill_with_sigterm_lets_the_flow_report_itself(sim, code):
    run = begin(sim, sleeps)
    sim.kill(sim.history().run(run), exit_code=code)
    sim.advance(seconds=1)
    assert sim.history().run(run).message == "Execution was aborted by a termination signal."
    assert len(seen) == 1
    assert hooks == [("crashed", "Crashed")]


def test_kill_takes_the_threads_of_the_process_along(sim):
    ticks = []

    @flow(name="threads")
    def threads():
        def tick():
            while True:
                time.sleep(60)
                ticks.append(sim.now)

        threading.Thread(target=tick, daemon=True).start()
        sleeps_in_task.submit().wait()

    run = begin(sim, threads)
    sim.advance(minutes=3)
    sim.kill(run)
    before = len(ticks)
    assert before >= 3
    sim.advance(hours=2)
    assert len(ticks) == before
    killed = sim.history().run(run)
    assert killed.state == "Crashed"
    assert [one.state for one in killed.tasks] == ["Running"]  # nobody is left to say otherwise


def test_kill_of_a_subflow_is_that_of_its_process(sim):
    @flow(name="outer")
    def outer():
        sleeps()

    run = begin(sim, outer)
    (child,) = sim.history().run(run).children
    sim.kill(child)
    sim.advance(seconds=1)
    killed = sim.history().run(run)
    assert killed.state == "Crashed"
    assert killed.children[0].state == "Running"


def test_kill_of_a_child_leaves_its_parent_to_find_out(sim):
    results = []

    @flow(name="parent")
    def parent():
        results.append(run_deployment("sleeps/dev").state.name)

    sim.deploy(sleeps, name="dev")
    run = begin(sim, parent)
    (child,) = sim.history().run(run).children
    sim.kill(child)
    sim.advance(seconds=10)
    assert results == ["Crashed"]
    assert sim.history().run(run).state == "Completed"


def test_kill_wants_a_running_run(sim):
    run = begin(sim, nothing)
    with pytest.raises(SimulationError, match=str(run)):
        sim.kill(run)


def test_a_killed_run_keeps_its_slot_until_the_lease_runs_out(sim):
    @flow(name="holds")
    def holds(seconds: float):
        with concurrency("database", occupy=1):
            time.sleep(seconds)

    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(_limit("database", 1))
    run = begin(sim, holds, seconds=7200)
    sim.advance(minutes=10)
    sim.kill(run)
    killed = sim.now
    second = sim.trigger("holds/dev", parameters={"seconds": 60})
    sim.advance(minutes=20)
    waited = sim.history().run(second)
    assert waited.state == "Completed"
    # The lease was renewed for five minutes, every 225 s; then a slot is asked for now and again.
    freed = waited.end - 60 * SECOND - killed
    assert timedelta(seconds=75) <= freed <= timedelta(minutes=8)


def test_a_killed_run_that_waits_for_a_slot_never_takes_it(sim):
    @flow(name="waits")
    def waits(seconds: float):
        with concurrency("database", occupy=1):
            time.sleep(seconds)

    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(_limit("database", 1))
    first = begin(sim, waits, seconds=600)
    second = sim.trigger("waits/dev", parameters={"seconds": 600})
    sim.advance(minutes=2)
    sim.kill(second)
    sim.advance(minutes=30)
    third = sim.trigger("waits/dev", parameters={"seconds": 1})
    sim.advance(minutes=1)
    states = [sim.history().run(run).state for run in (first, second, third)]
    assert states == ["Completed", "Crashed", "Completed"]


def _limit(name, limit):
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

    return GlobalConcurrencyLimitCreate(name=name, limit=limit)


def test_a_script_that_exits_is_a_crash_and_no_exit_of_the_test(sim):
    @flow(name="exits")
    def exits():
        sys.exit(2)

    run = sim.run(exits)
    assert run.state == "Crashed"
    assert run.message == "Execution was aborted by Python system exit call."


def test_a_script_that_is_killed_stays_running_for_ever(sim):
    @flow(name="dies")
    def dies():
        os._exit(1)

    run = sim.run(dies)
    assert names(run) == ["Pending", "Running"]
    sim.advance(days=1)
    assert sim.history().run(run.id).state == "Running"


# -- cancellation ------------------------------------------------------------------------------------------


def test_cancelling_a_running_run_interrupts_it(sim):
    run = begin(sim, sleeps)
    cancelled_at = sim.now
    cancel(run)
    sim.advance(minutes=1)
    cancelled = sim.history().run(run)
    assert names(cancelled) == [*TAKEN, "Cancelling", "Cancelled"]
    assert cancelled.message == "Flow run was cancelled successfully."
    # The runner looks every three seconds whether the process has gone.
    assert cancelled.end - cancelled_at <= 4 * SECOND
    (error,) = seen
    assert isinstance(error, TerminationSignal)
    assert error.signal == signal.SIGTERM
    assert hooks == [("cancellation", "Cancelling")]
    assert "Flow run was cancelled." in messages(cancelled)


def test_cancelling_an_async_run_cancels_its_task(sim):
    run = begin(sim, asleeps)
    cancel(run)
    sim.advance(minutes=1)
    assert names(sim.history().run(run)) == [*TAKEN, "Cancelling", "Cancelled"]
    assert [type(error) for error in seen] == [asyncio.CancelledError]


def test_cancelling_a_task_in_the_main_thread_crashes_the_task(sim):
    @flow(name="in-task")
    def in_task():
        sleeps_in_task()

    run = begin(sim, in_task)
    cancel(run)
    sim.advance(minutes=1)
    cancelled = sim.history().run(run)
    assert cancelled.state == "Cancelled"
    (one,) = cancelled.tasks
    assert one.state == "Crashed"
    assert one.message == "Execution was aborted by a termination signal."


def test_a_run_that_does_not_end_is_killed_after_thirty_seconds(sim):
    @flow(name="submits")
    def submits():
        sleeps_in_task.submit().wait()

    run = begin(sim, submits)
    cancelled_at = sim.now
    cancel(run)
    sim.advance(minutes=1)
    cancelled = sim.history().run(run)
    assert names(cancelled) == [*TAKEN, "Cancelling", "Cancelled"]
    assert 30 * SECOND <= cancelled.end - cancelled_at <= 34 * SECOND
    (one,) = cancelled.tasks
    assert [state.name for state in one.states] == ["Pending", "Running", "Cancelled"]
    assert one.message == "The parent flow run was cancelled."


def test_cancelling_a_parent_cancels_its_subflow_with_it(sim):
    @flow(name="outer")
    def outer():
        sleeps()

    run = begin(sim, outer)
    cancel(run)
    sim.advance(minutes=1)
    cancelled = sim.history().run(run)
    (child,) = cancelled.children
    assert names(cancelled) == [*TAKEN, "Cancelling", "Cancelled"]
    assert names(child) == ["Pending", "Running", "Cancelling", "Cancelled"]
    assert child.message == "Flow run was cancelled."
    assert child.end <= cancelled.end
    assert hooks == [("cancellation", "Cancelling")]  # the subflow's own; the parent has none


def test_cancelling_a_parent_cancels_its_deployment_runs_within_twenty_seconds(sim):
    @flow(name="parent")
    def parent():
        run_deployment("sleeps/dev")

    sim.deploy(sleeps, name="dev")
    run = begin(sim, parent)
    cancel(run)
    sim.advance(minutes=1)
    cancelled = sim.history().run(run)
    (child,) = cancelled.children
    assert cancelled.state == "Cancelled"
    assert names(child) == [*TAKEN, "Cancelling", "Cancelled"]
    assert child.states[-2].message == "The parent flow run was cancelled."
    assert child.message == "Flow run was cancelled successfully."
    assert child.states[-2].timestamp - cancelled.end <= 20 * SECOND
    assert child.states[-2].timestamp.second % 20 == 0


def test_cancelling_a_child_leaves_its_parent_to_find_out(sim):
    results = []

    @flow(name="parent")
    def parent():
        results.append(run_deployment("sleeps/dev").state.name)

    sim.deploy(sleeps, name="dev")
    run = begin(sim, parent)
    (child,) = sim.history().run(run).children
    cancel(child.id)
    sim.advance(minutes=1)
    assert results == ["Cancelled"]
    assert sim.history().run(run).state == "Completed"


def test_cancelling_a_scheduled_run_takes_effect_at_once(sim):
    sim.deploy(nothing, name="dev")
    run = sim.trigger("nothing/dev", at="2026-01-05T06:00:00Z")
    cancel(run)
    assert names(sim.history().run(run)) == ["Scheduled", "Cancelled"]
    sim.advance(hours=12)
    assert names(sim.history().run(run)) == ["Scheduled", "Cancelled"]


def test_cancelling_a_run_that_was_taken_ahead_of_time(sim):
    sim.deploy(nothing, name="dev")
    run = sim.trigger("nothing/dev", at="2026-01-05T00:10:00Z")
    sim.advance_to("2026-01-05T00:09:55Z")
    assert names(sim.history().run(run))[-1] == "Submitting"
    cancel(run)
    sim.advance(minutes=1)
    cancelled = sim.history().run(run)
    assert names(cancelled) == ["Scheduled", "Pending", "Submitting", "Cancelling", "Cancelled"]


def test_cancelling_what_nobody_runs_takes_five_minutes(sim):
    @flow(name="script")
    def script():
        with get_client(sync_client=True) as client:
            from prefect.runtime import flow_run

            client.set_flow_run_state(flow_run.id, Cancelling())
        time.sleep(3600)

    run = sim.run(script)
    # The script hears nothing of it, and says in the end that it has completed.
    assert names(run) == ["Pending", "Running", "Cancelling", "Cancelled", "Completed"]
    assert run.states[3].message.startswith("Flow run cancellation timed out")
    ending = run.states[3].timestamp - run.states[2].timestamp
    assert timedelta(minutes=5) <= ending <= timedelta(minutes=5, seconds=1)


def test_a_cancelled_run_frees_its_place_in_the_pool(sim):
    sim.work_pool("default", concurrency_limit=1)
    first = begin(sim, sleeps)
    second = sim.trigger("sleeps/dev", parameters={"seconds": 10})
    sim.advance(minutes=10)
    assert sim.history().run(second).state == "Late"
    cancel(first)
    sim.advance(minutes=1)
    assert sim.history().run(second).state == "Completed"


# -- late, away, ahead -------------------------------------------------------------------------------------


def test_a_run_is_taken_up_to_ten_seconds_ahead_and_starts_on_time(sim):
    sim.deploy(nothing, name="dev")
    run = sim.trigger("nothing/dev", at="2026-01-05T00:10:07Z")
    sim.advance(hours=1)
    taken = sim.history().run(run)
    pending, running = taken.states[1].timestamp, taken.states[3].timestamp
    assert pending == taken.scheduled - 7 * SECOND
    assert timedelta(0) <= running - taken.scheduled <= SECOND


def test_a_missed_run_is_late_after_fifteen_seconds_on_a_grid_of_five(sim):
    sim.deploy(nothing, name="dev")
    run = sim.trigger("nothing/dev", at="2026-01-05T00:10:02Z")
    sim.stop_worker()
    sim.advance(hours=1)
    late = sim.history().run(run)
    assert names(late) == ["Scheduled", "Late"]
    assert late.states[1].timestamp.replace(microsecond=0) == late.scheduled + 18 * SECOND


def test_a_worker_that_returns_runs_everything_that_it_has_missed(sim):
    sim.deploy(nothing, name="dev", cron="*/10 * * * *")
    sim.advance_to("2026-01-05T00:35:00Z")
    sim.stop_worker()
    sim.advance_to("2026-01-05T02:05:00Z")
    assert len(sim.runs("nothing", state="Completed")) == 3
    missed = sim.runs("nothing", state="Late")
    assert len(missed) == 9
    sim.start_worker()
    sim.advance(seconds=30)
    runs = sim.runs("nothing")
    assert [run.state for run in runs] == ["Completed"] * 12
    for run in runs[3:]:
        assert names(run) == ["Scheduled", "Late", "Pending", "Submitting", "Running", "Completed"]
        assert sim.now - run.start <= 30 * SECOND
    assert [run.scheduled for run in runs] == sorted(run.scheduled for run in runs)


def test_what_runs_goes_on_while_the_worker_is_away(sim):
    run = begin(sim, sleeps, seconds=600)
    sim.stop_worker()
    sim.advance(minutes=20)
    assert sim.history().run(run).state == "Completed"
    crashed = sim.trigger("sleeps/dev")
    sim.start_worker()
    sim.advance(minutes=1)
    sim.stop_worker()
    sim.kill(crashed)
    sim.advance(minutes=1)
    assert sim.history().run(crashed).state == "Crashed"


# -- pools and queues ----------------------------------------------------------------------------------------


def overlaps(runs):
    """The largest number of runs at the same time."""
    events = sorted([(run.start, 1) for run in runs] + [(run.end, -1) for run in runs])
    most = running = 0
    for _, change in events:
        running += change
        most = max(most, running)
    return most


def test_a_pools_limit_holds(sim):
    sim.work_pool("default", concurrency_limit=2)
    sim.deploy(sleeps, name="dev")
    for _ in range(6):
        sim.trigger("sleeps/dev", parameters={"seconds": 600})
    sim.advance(hours=1)
    runs = sim.runs("sleeps", state="Completed")
    assert len(runs) == 6
    assert overlaps(runs) == 2
    # Three turns, and up to ten seconds until a poll finds a free slot.
    assert timedelta(minutes=30) <= runs[-1].end - runs[0].start <= timedelta(minutes=31)


def test_a_pools_limit_does_not_hold_back_subflows(sim):
    @flow(name="fans-out")
    async def fans_out():
        await asyncio.gather(*(asleeps(60) for _ in range(4)))

    sim.work_pool("default", concurrency_limit=1)
    run = ran(sim, fans_out)
    sim.advance(minutes=5)
    assert overlaps(sim.history().run(run.id).children) == 4


def test_a_queues_limit_holds_beside_another_queue(sim):
    sim.work_queue("narrow", concurrency_limit=1)
    sim.deploy(sleeps, name="narrow", work_queue_name="narrow")
    sim.deploy(sleeps, name="wide", work_queue_name="wide")
    for name in ["narrow"] * 3 + ["wide"] * 3:
        sim.trigger(f"sleeps/{name}", parameters={"seconds": 600})
    sim.advance(hours=1)
    assert overlaps(sim.runs("sleeps", deployment="sleeps/narrow")) == 1
    assert overlaps(sim.runs("sleeps", deployment="sleeps/wide")) == 3


def test_a_queue_of_higher_priority_goes_first(sim):
    sim.work_pool("default", concurrency_limit=1)
    sim.work_queue("low", priority=20)
    sim.work_queue("high", priority=1)
    sim.deploy(sleeps, name="low", work_queue_name="low")
    sim.deploy(sleeps, name="high", work_queue_name="high")
    for name in ["low", "low", "high", "high"]:
        sim.trigger(f"sleeps/{name}", parameters={"seconds": 300})
    sim.advance(hours=1)
    order = [run.deployment.partition("/")[2] for run in sim.runs("sleeps", state="Completed")]
    assert order == ["high", "high", "low", "low"]


def test_a_paused_pool_takes_nothing_until_it_is_resumed(sim):
    sim.deploy(nothing, name="dev")
    with get_client(sync_client=True) as client:
        client.update_work_pool("default", WorkPoolUpdate(is_paused=True))
        run = sim.trigger("nothing/dev")
        sim.advance(hours=1)
        assert sim.history().run(run).state == "Late"
        client.update_work_pool("default", WorkPoolUpdate(is_paused=False))
    sim.advance(seconds=20)
    assert sim.history().run(run).state == "Completed"


def test_a_limit_of_zero_takes_nothing(sim):
    sim.work_pool("default", concurrency_limit=0)
    run = begin(sim, nothing)
    assert sim.history().run(run).state == "Late"
    sim.work_pool("default", concurrency_limit=1)
    sim.advance(seconds=20)
    assert sim.history().run(run).state == "Completed"


def test_a_poll_is_not_lost_to_what_happens_at_its_instant(sim):
    sim.work_pool("default", concurrency_limit=1)
    sim.deploy(sleeps, name="dev", parameters={"seconds": 2})
    sim.advance(seconds=2)
    for _ in range(4):
        sim.trigger("sleeps/dev")
    sim.advance(minutes=2)
    runs = sim.runs("sleeps")
    assert [(run.start - runs[0].start) // SECOND for run in runs] == [0, 10, 20, 30]
    late = {one.timestamp for run in runs for one in run.states if one.name == "Late"}
    assert late & {run.start for run in runs}  # marked at the very instant of a poll


def test_two_pools_have_a_worker_each(sim):
    sim.deploy(nothing, name="a", work_pool="first")
    sim.deploy(nothing, name="b", work_pool="second")
    sim.stop_worker("first")
    runs = [sim.trigger("nothing/a"), sim.trigger("nothing/b")]
    sim.advance(minutes=1)
    assert [sim.history().run(run).state for run in runs] == ["Late", "Completed"]


def test_a_full_pool_is_not_polled_in_vain(sim):
    sim.work_pool("default", concurrency_limit=1)
    sim.deploy(sleeps, name="dev")
    for _ in range(3):
        sim.trigger("sleeps/dev", parameters={"seconds": 6 * 3600})
    sim.advance(days=1)
    assert len(sim.runs("sleeps", state="Completed")) == 3
    assert next(iter(sim._world.pools["default"]))._polls.fired <= 6


def test_the_logger_of_a_run_writes_to_its_record(sim):
    @flow(name="talks")
    def talks():
        get_run_logger().info("hello from %s", "inside")

    assert "hello from inside" in messages(ran(sim, talks))


def test_process_state_does_not_leak_from_one_run_to_the_next(sim):
    # In one process the engine remembers that it has reported an outcome, and would leave the next
    # run's crash unsaid.
    first = begin(sim, nothing)
    second = ran(sim, sleeps)
    sim.kill(second)
    sim.advance(seconds=1)
    assert sim.history().run(first).state == "Completed"
    assert sim.history().run(second.id).state == "Crashed"


def test_standard_input_stays_open(sim):
    from prefect.flow_runs import suspend_flow_run

    @flow(name="suspends")
    def suspends():
        suspend_flow_run(timeout=600)

    run = begin(sim, suspends)
    assert sim.history().run(run).state == "Suspended"
    assert not sys.stdin.closed
