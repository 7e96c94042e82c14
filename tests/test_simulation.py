"""`Simulation`: what a user may ask of it, what is refused, and that a seed repeats it."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow, task
from prefect.deployments import run_deployment
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from simulator import Simulation, lognormal

START = datetime(2026, 1, 5, tzinfo=UTC)


@flow
def child(number: int = 0) -> int:
    return number


@task
def step() -> None:
    pass


@task
def run_child(number: int) -> None:
    child(number)


@flow(log_prints=True)
def parent() -> None:
    for number in range(2):
        run_deployment("child/dev", parameters={"number": number})
    step()
    print("done")  # noqa: T201  it ends up in the logs


@flow(task_runner=ThreadPoolTaskRunner(max_workers=3))
def pooled() -> None:
    for future in [run_child.submit(number) for number in range(6)]:
        future.wait()


@flow
async def gathered() -> None:
    await asyncio.gather(
        *(run_deployment("child/dev", parameters={"number": number}) for number in range(3)),
        return_exceptions=True,
    )


@pytest.fixture
def sim():
    with Simulation(start=START) as simulation:
        yield simulation


def states(sim, name):
    return [run.state for run in sim.runs(name)]


# -- durations and faults -----------------------------------------------------------------------------


def test_a_duration_is_added_to_a_flow_and_to_a_task(sim):
    sim.takes("child", timedelta(minutes=5))
    sim.takes("step", timedelta(seconds=30))
    sim.deploy(child, name="dev")
    run = sim.run(parent)
    assert [one.end - one.start for one in run.children] == [timedelta(minutes=5)] * 2
    (task_run,) = run.tasks
    assert round((task_run.end - task_run.start).total_seconds()) == 30


def test_a_list_of_durations_goes_run_by_run_and_its_last_one_stays(sim):
    sim.takes("child", [timedelta(minutes=1), timedelta(minutes=2)])
    lasted = [run.end - run.start for run in (sim.run(child) for _ in range(3))]
    assert [round(one.total_seconds()) for one in lasted] == [60, 120, 120]


def test_lognormal_durations_differ_and_repeat(sim):
    sim.takes("child", lognormal(median=timedelta(minutes=5), sigma=0.5))
    lasted = []
    for _ in range(4):
        run = sim.run(child)
        lasted.append(round((run.end - run.start).total_seconds()))
        sim.advance(hours=1)
    assert len(set(lasted)) == 4
    assert all(30 < seconds < 3000 for seconds in lasted)


def test_faults_by_number(sim):
    sim.fail("child", on=[0, 2], error=ValueError("boom"))
    runs = [sim.run(child) for _ in range(4)]
    assert [run.state for run in runs] == ["Failed", "Completed", "Failed", "Completed"]
    assert "boom" in runs[0].message


def test_faults_by_attempt(sim):
    @flow(retries=2, retry_delay_seconds=60)
    def stubborn() -> None:
        pass

    sim.fail("stubborn", attempts="1-2")
    run = sim.run(stubborn)
    assert run.state == "Completed"
    assert run.run_count == 3
    assert timedelta(minutes=2) <= run.end - run.start < timedelta(minutes=2, seconds=1)


def test_faults_in_a_window_of_time(sim):
    sim.fail("child", between=(START + timedelta(hours=1), START + timedelta(hours=3)))
    sim.deploy(child, name="dev", cron="30 * * * *")
    sim.advance(hours=4)
    assert states(sim, "child") == ["Completed", "Failed", "Failed", "Completed"]


def test_a_fault_may_come_after_a_while(sim):
    sim.fail("child", after=timedelta(minutes=7))
    run = sim.run(child)
    assert run.state == "Failed"
    assert timedelta(minutes=7) <= run.end - run.start < timedelta(minutes=7, seconds=1)


def test_the_same_cycles_fail_however_a_child_is_called():
    @flow
    def calls() -> None:
        child(return_state=True)

    @flow
    def orders() -> None:
        run_deployment("child/dev")

    outcomes = []
    for caller in (calls, orders):
        with Simulation(start=START, seed=3) as sim:
            sim.fail("child", probability=0.5)
            sim.deploy(child, name="dev")
            sim.deploy(caller, name="dev", cron="0 * * * *")
            sim.advance(hours=8, minutes=5)
            outcomes.append(states(sim, "child"))
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {"Completed", "Failed"}


# -- what one seed means ------------------------------------------------------------------------------


def history(seed: int, faults: bool) -> list:
    with Simulation(start=START, seed=seed) as sim:
        sim.takes("child", timedelta(minutes=3))
        if faults:
            sim.fail("child", probability=0.5)
        sim.deploy(child, name="dev")
        sim.deploy(parent, name="dev", cron="0 * * * *")
        sim.deploy(pooled, name="dev", cron="20 * * * *")
        sim.deploy(gathered, name="dev", cron="40 * * * *")
        sim.advance(hours=1)
        return sim.history().normalised()


def test_one_seed_repeats_a_history_also_on_a_busy_machine():
    first = history(7, faults=True)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        assert history(7, faults=True) == first
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_without_faults_the_seed_does_not_matter_and_with_faults_it_does():
    assert history(1, faults=False) == history(2, faults=False)
    assert history(1, faults=True) != history(2, faults=True)


def test_ten_gathered_children_take_ten_minutes_on_a_busy_machine(sim):
    @flow
    async def sleeper() -> None:
        await asyncio.sleep(600)

    @flow
    async def ten() -> None:
        await asyncio.gather(*(sleeper() for _ in range(10)))

    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        run = sim.run(ten)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert abs(run.end - run.start - timedelta(minutes=10)) < timedelta(seconds=1)


# -- records --------------------------------------------------------------------------------------------


def test_a_record_tells_what_happened(sim):
    sim.deploy(child, name="dev", tags=["small"])
    run = sim.run(parent)
    assert run.parameters == {}
    assert [one.deployment for one in run.children] == ["child/dev"] * 2
    assert [one.parameters for one in run.children] == [{"number": 0}, {"number": 1}]
    assert all(one.parent == run for one in run.children)
    assert [state.name for state in run.children[0].states] == [
        "Scheduled", "Pending", "Submitting", "Running", "Completed"
    ]  # fmt: skip
    assert run.tasks[0].task == "step"
    assert any(log.message == "done" for log in run.logs)
    assert sim.runs(deployment="child/dev") == list(run.children)


def test_trigger_orders_a_run_for_an_instant(sim):
    sim.deploy(child, name="dev")
    sim.trigger("child/dev", parameters={"number": 5}, at=START + timedelta(hours=2))
    sim.advance(hours=1)
    assert [run.state for run in sim.runs("child")] == ["Scheduled"]
    sim.advance(hours=1, minutes=1)
    (run,) = sim.runs("child")
    assert run.state == "Completed"
    assert run.parameters == {"number": 5}
    assert run.start - START < timedelta(hours=2, seconds=1)


def test_time_passes_as_asked(sim):
    sim.advance(timedelta(hours=1))
    sim.advance(days=1, minutes=30)
    sim.advance_to("2026-01-06T12:00:00+01:00")
    assert sim.now.replace(microsecond=0) == datetime(2026, 1, 6, 11, tzinfo=UTC)
    time.sleep(60)  # the script's own sleep
    assert sim.now.replace(microsecond=0) == datetime(2026, 1, 6, 11, 1, tzinfo=UTC)


def test_a_history_can_be_handed_to_another_process(sim):
    run = sim.run(child)
    assert pickle.loads(pickle.dumps(sim.history())).runs() == [run]


def test_a_step_may_be_shorter_than_a_second(sim):
    for number in range(1, 4):
        sim.advance(seconds=0.25)
        assert sim.now == START + number * timedelta(seconds=0.25)


def test_records_are_exact_however_often_a_flow_sleeps_and_reads_the_time(sim):
    @flow(name="polls")
    def polls():
        for _ in range(600):
            time.sleep(1)
            for _ in range(100):
                time.time()

    run = sim.run(polls)
    assert run.end - run.start == timedelta(minutes=10)
    assert [state.timestamp for state in run.states[-1:]] == [sim.now] == [run.end]


def test_instants_are_exact_however_often_the_history_was_read_meanwhile(sim):
    """A reading in the midst of an instant knows all that was shown until then."""

    @flow(name="looks")
    def looks():
        for _ in range(5):
            time.sleep(1)
            for _ in range(2000):
                time.time()
            quick()
            sim.runs()

    @task
    def quick():
        """Nothing."""

    run = sim.run(looks)
    assert [task.end - run.start for task in run.tasks] == [
        timedelta(seconds=second) for second in range(1, 6)
    ]
    assert run.end == sim.now


def test_a_fault_strikes_between_instants_however_often_the_time_was_read(sim):
    @flow(name="reads")
    def reads():
        for _ in range(10_000):
            time.time()
        child()

    sim.fail("child", between=(START, START + timedelta(milliseconds=5)))
    assert sim.run(reads).state == "Failed"
    sim.advance(seconds=0.005)
    assert sim.run(reads).state == "Completed"


def test_a_run_ordered_for_now_is_never_late_for_it(sim, monkeypatch):
    """On a live engine time goes on while a run is being ordered: every look at it is a later one."""
    sim.deploy(child, name="dev")
    instants = (START + timedelta(milliseconds=number) for number in itertools.count())
    monkeypatch.setattr(Simulation, "now", property(lambda self: next(instants)))
    sim.trigger("child/dev")
    sim.advance(minutes=1)
    assert [run.state for run in sim.runs()] == ["Completed"]


def test_a_process_pool_is_refused_with_what_to_use_instead(sim):
    @flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
    def leaves() -> None:
        step.submit().result()

    run = sim.run(leaves)
    assert run.state == "Failed"
    assert "use ThreadPoolTaskRunner" in run.message


def test_a_sleep_that_is_no_number_is_refused_as_ever(sim):
    @flow
    def sleeps_in_words():
        time.sleep("a second")

    assert "'str' object cannot be interpreted as an integer" in sim.run(sleeps_in_words).message


def test_settings_differ_from_the_defaults_where_asked():
    @flow
    def nothing():
        pass

    with Simulation(settings={"PREFECT_WORKER_QUERY_SECONDS": 300}) as sim:
        sim.deploy(nothing, "dev")
        sim.advance(seconds=1)
        sim.trigger("nothing/dev")
        sim.advance(minutes=4)
        assert not sim.runs("nothing", state="Completed")
        sim.advance(minutes=2)
        assert sim.runs("nothing", state="Completed")
