"""What is added to the steps of real flows: durations at their end, faults in their place."""

from __future__ import annotations

import asyncio
import time
import traceback
from datetime import timedelta

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from simulator import Simulation, SimulationError, lognormal
from simulator.errors import UnsupportedOperation
from simulator.faults import Longer, Raise

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@flow
def child():
    called.append("child")


@flow
async def achild():
    called.append("achild")


@task(cache_policy=NO_CACHE)
def step():
    called.append("step")


@task(cache_policy=NO_CACHE)
async def astep():
    called.append("astep")


@flow
def parent():
    child()
    step()


@flow
async def aparent():
    await achild()
    await astep()


called: list[str] = []


@pytest.fixture
def sim():
    called.clear()
    with Simulation(start="2026-01-05T00:00:00Z", seed=5) as simulation:
        yield simulation


def lasted(run):
    return round((run.end - run.start).total_seconds())


# -- durations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("top", "names"), [(parent, ("child", "step")), (aparent, ("achild", "astep"))]
)
def test_a_duration_is_added_to_sync_and_async_flows_and_tasks(sim, top, names):
    for name, minutes in zip(names, (5, 3), strict=True):
        sim.takes(name, minutes * MINUTE)
    run = sim.run(top)
    assert run.state == "Completed", run.message
    assert [lasted(one) for one in run.children] == [300]
    assert lasted(next(one for one in run.tasks if one.task == names[1])) == 180
    assert lasted(run) == 480
    assert tuple(called) == names  # their own code ran


def test_it_comes_after_the_steps_own_code(sim):
    @flow(name="works")
    def works():
        time.sleep(60)
        called.append(sim.now)

    sim.takes("works", MINUTE)
    run = sim.run(works)
    assert called == [run.start + MINUTE]
    assert lasted(run) == 120


def test_a_failure_of_the_steps_own_takes_nothing(sim):
    @flow(name="breaks")
    def breaks():
        raise ValueError("its own")

    sim.takes("breaks", MINUTE)
    run = sim.run(breaks)
    assert run.state == "Failed"
    assert lasted(run) == 0


def test_the_last_duration_given_holds(sim):
    sim.takes("child", MINUTE)
    sim.takes("child", 2 * MINUTE)
    assert lasted(sim.run(child)) == 120


def test_each_attempt_takes_its_duration(sim):
    @flow(name="tries", retries=1)
    def tries():
        pass

    sim.takes("tries", MINUTE)
    sim.fail("tries", attempts="1", after=10 * SECOND)
    run = sim.run(tries)
    assert run.state == "Completed"
    assert lasted(run) == 70


def test_runs_that_begin_together_count_in_the_order_of_their_start(sim):
    @flow(name="fans", task_runner=ThreadPoolTaskRunner(max_workers=4))
    def fans():
        for future in [step.submit() for _ in range(4)]:
            future.wait()

    sim.takes("step", [MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE])
    run = sim.run(fans)
    assert [lasted(one) for one in sorted(run.tasks, key=lambda one: one.start)] == [
        60,
        120,
        180,
        240,
    ]


def test_a_cycles_random_duration_is_the_same_wherever_its_step_runs(sim):
    @flow(name="calls")
    def calls():
        child()

    sim.takes("child", lognormal(5 * MINUTE, 0.8))
    called_by = sim.deploy(calls, name="dev", cron="0 * * * *")
    sim.advance(hours=3.5)
    inside = [lasted(one) for one in sim.runs("child")]
    assert called_by
    with_deployments = []

    sim.__exit__(None, None, None)
    with Simulation(start="2026-01-05T00:00:00Z", seed=5) as other:
        other.takes("child", lognormal(5 * MINUTE, 0.8))
        other.deploy(child, name="dev", cron="0 * * * *")
        other.advance(hours=3.5)
        with_deployments = [lasted(one) for one in other.runs("child")]
    assert len(set(inside)) == 3
    assert with_deployments == inside


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("top", "name"), [(parent, "child"), (aparent, "achild")])
def test_a_fault_stands_in_the_place_of_the_steps_own_code(sim, top, name):
    sim.fail(name, error=ValueError("boom"), after=90 * SECOND)
    run = sim.run(top)
    (below,) = run.children
    assert (below.state, run.state) == ("Failed", "Failed")
    assert "boom" in below.message
    assert lasted(below) == 90
    assert called == []


def test_a_task_fails_like_a_flow(sim):
    sim.fail("step", error=ValueError("boom"))
    run = sim.run(parent)
    assert [(one.task, one.state) for one in run.tasks if one.task == "step"] == [
        ("step", "Failed")
    ]
    assert called == ["child"]


def test_an_error_may_be_a_class_and_need_not_be_given(sim):
    sim.fail("child", error=KeyError, on=[0])
    sim.fail("child", on=[1])
    first, second = sim.run(child), sim.run(child)
    assert "KeyError" in first.message
    assert "child failed" in second.message


def test_the_first_fault_that_strikes_is_raised(sim):
    sim.fail("child", error=ValueError("first"), on=[1])
    sim.fail("child", error=ValueError("second"))
    assert "second" in sim.run(child).message
    assert "first" in sim.run(child).message


def test_an_error_that_is_raised_again_has_no_traces_of_the_last_time(sim):
    error = ValueError("boom")
    sim.fail("child", error=error)
    depths = []
    for _ in range(3):
        sim.run(child)
        depths.append(len(traceback.extract_tb(error.__traceback__)))
    assert depths[0] == depths[1] == depths[2]


def test_retries_of_a_task_are_attempts_of_one_run(sim):
    @task(name="shaky", retries=3, cache_policy=NO_CACHE)
    def shaky():
        called.append("shaky")

    @flow(name="retries")
    def retries():
        shaky()
        shaky()

    sim.fail("shaky", on=[0], attempts="1-2")
    run = sim.run(retries)
    assert run.state == "Completed", run.message
    assert [one.run_count for one in run.tasks] == [3, 1]
    assert called == ["shaky"] * 2


def test_steps_of_other_names_are_left_alone(sim):
    sim.fail("child", error=ValueError("boom"))
    sim.takes("astep", MINUTE)
    run = sim.run(achild)
    assert run.state == "Completed"
    assert lasted(run) == 0


def test_steps_outside_a_flow(sim):
    @flow(name="plain")
    def plain():
        assert step.fn() is None
        assert asyncio.run(astep.fn()) is None

    sim.fail("step")
    sim.fail("astep")
    assert sim.run(plain).state == "Completed"  # no step: a function's call


@pytest.mark.parametrize("kind", [flow, task])
def test_a_step_that_yields_is_refused(sim, kind):
    def numbers():
        yield 1

    async def anumbers():
        yield 1

    steps = [kind(numbers, name="numbers"), kind(anumbers, name="anumbers")]
    for name in (one.name for one in steps):
        with pytest.raises(UnsupportedOperation, match=f"'{name}' yields"):
            sim.takes(name, MINUTE)
        with pytest.raises(SimulationError, match="a task that it calls"):
            sim.fail(name)


@pytest.mark.parametrize("name", ["child", "achild", "step", "astep"])
def test_runs_are_counted_from_the_first_one_whenever_a_fault_is_injected(sim, name):
    whole = aparent if name.startswith("a") else parent
    sim.run(whole)
    sim.fail(name, on=[1])
    states = [sim.run(whole).state for _ in range(3)]
    assert states == ["Failed", "Completed", "Completed"]
    sim.takes(name, [MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE, 5 * MINUTE])
    assert lasted(sim.run(whole)) == 300


@pytest.mark.parametrize("name", ["child", "step"])
def test_a_fault_that_is_injected_later_draws_as_if_it_had_been_there(name):
    @flow(name="goes on")
    def goes_on():
        for _ in range(10):
            parent()
            time.sleep(600)

    def states(injected_at):
        with Simulation(start="2026-01-05T00:00:00Z", seed=5) as sim:
            sim.deploy(goes_on, name="dev", cron="0 * * * *")
            later = (sim.now + 100 * MINUTE, sim.now + 1000 * MINUTE)
            fault = Longer(step=name, by=MINUTE, probability=0.5, between=later)
            sim.advance(minutes=injected_at)
            sim.inject(fault)
            sim.advance(minutes=200 - injected_at)
            return [(run.start, lasted(run)) for run in sim.runs("parent") if run.end]

    assert states(injected_at=95) == states(injected_at=0)
    assert {seconds for _, seconds in states(injected_at=95)} == {0, 60}


def test_nothing_is_asked_of_the_database_to_number_what_nothing_is_planned_for(sim):
    asked: list[str] = []
    sim._world.database.set_trace_callback(asked.append)
    try:
        sim.run(parent)
        sim.run(parent)
        assert not any("recursive" in query for query in asked)
        sim.takes("step", MINUTE)
        sim.run(parent)
        assert sum("recursive" in query for query in asked) == 3
    finally:
        sim._world.database.set_trace_callback(None)


def test_what_a_step_waits_for_a_fault_is_part_of_what_it_takes_longer(sim):
    sim.takes("step", 30 * SECOND)
    twice = Longer(step="step", factor=2, after=7 * SECOND, on=[0])
    sim.inject([twice, Longer(step="step", by=5 * SECOND, after=7 * SECOND, on=[1])])
    assert [lasted(sim.run(parent)) for _ in range(2)] == [60, 35]


@pytest.mark.filterwarnings("ignore:fault 0 has never struck")
def test_faults_of_one_attempt_strike_in_the_order_of_time(sim):
    later = Longer(step="child", factor=2, after=7 * SECOND)
    sim.inject([later, Raise(step="child", after=3 * SECOND)])
    run = sim.run(parent)
    assert (run.state, lasted(run)) == ("Failed", 3)
    assert len(sim.silent_faults) == 1
