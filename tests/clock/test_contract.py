"""The virtual clock's contract, point by point, on real Prefect flows."""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import datetime as dt
import importlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, time_ns

import anyio
import pytest
from prefect import flow, task
from prefect.deployments import run_deployment
from prefect.events import DeploymentEventTrigger
from prefect.server.events import triggers
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.types._datetime import now as prefect_now

from simulator import ClockStalled, NothingToRun, Simulation, SimulationError
from simulator.instants import Real
from tests.break_contract import BREAKS, REPOSITORY, TESTS

START = "2026-01-05T00:00:00Z"
SECOND = timedelta(seconds=1)


def lasted(run) -> timedelta:
    return run.end - run.start


def about(run, **expected: float) -> bool:
    return abs(lasted(run) - timedelta(**expected)) <= SECOND


@pytest.fixture
def sim():
    with Simulation(start=START) as simulation:
        yield simulation


@flow
def sleeps(seconds: float = 600):
    time.sleep(seconds)


@flow
async def asleeps(seconds: float = 600):
    await asyncio.sleep(seconds)


@task
def run_child(index: int):
    sleeps()


# -- 1, 2, 3: one clock, moved only when nothing can run, by jumps --------------------------------


def test_a_sleeping_flow_takes_its_virtual_time(sim):
    run = sim.run(sleeps)
    assert run.state == "Completed"
    assert about(run, minutes=10)


def test_ten_gathered_children_take_as_long_as_one(sim):
    @flow
    async def gathers():
        await asyncio.gather(*(asleeps() for _ in range(10)))

    run = sim.run(gathers)
    assert run.state == "Completed"
    assert len(run.children) == 10
    assert about(run, minutes=10)


def test_six_children_on_two_workers_take_three_turns(sim):
    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def pooled():
        for future in [run_child.submit(index) for index in range(6)]:
            future.wait()

    run = sim.run(pooled)
    assert run.state == "Completed"
    assert len(run.children) == 6
    assert about(run, minutes=30)


def test_computing_takes_no_virtual_time(sim):
    @flow
    def burns():
        sum(index * index for index in range(3_000_000))

    assert lasted(sim.run(burns)) < SECOND


def test_a_real_subprocess_takes_no_virtual_time(sim):
    @flow
    def waits():
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1)"], check=True, timeout=30)

    run = sim.run(waits)
    assert run.state == "Completed"
    assert lasted(run) < SECOND


def test_a_real_subprocess_of_an_async_flow_takes_no_virtual_time(sim):
    @flow
    async def waits():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import time; time.sleep(1)"
        )
        assert await process.wait() == 0

    run = sim.run(waits)
    assert run.state == "Completed", run.message
    assert lasted(run) < SECOND


def test_a_loop_that_reads_from_a_real_pipe_takes_no_virtual_time(sim):
    @flow
    async def reads():
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        reader, writer = os.pipe()
        script = "import time; time.sleep(1); print()"
        with subprocess.Popen([sys.executable, "-c", script], stdout=writer):
            loop.add_reader(reader, readable.set)
            await readable.wait()
            loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)

    run = sim.run(reads)
    assert run.state == "Completed", run.message
    assert lasted(run) < SECOND


def test_an_event_is_handled_before_time_moves(sim, monkeypatch):
    evaluate = triggers.reactive_evaluation
    holding = []

    async def noted(*args):
        holding.append({hold.name for hold in list(sim._world.clock._holds)})
        await evaluate(*args)

    monkeypatch.setattr(triggers, "reactive_evaluation", noted)

    @flow
    def first():
        pass

    @flow
    def second():
        pass

    ended = DeploymentEventTrigger(
        expect={"prefect.flow-run.Completed"}, match_related={"prefect.resource.name": "first"}
    )
    sim.deploy(first, name="dev", cron="0 * * * *")
    sim.deploy(second, name="dev", triggers=[ended])
    sim.advance(hours=5.5)
    ends = [run.end for run in sim.runs("first")]
    ordered = [run.scheduled for run in sim.runs("second")]
    assert len(ends) == len(ordered) == 5
    assert all(order - end < SECOND for end, order in zip(ends, ordered, strict=True))
    assert len(holding) > 5
    assert all("a message on 'events'" in names for names in holding)


# -- what follows the clock -----------------------------------------------------------------------


def test_asyncio_sleep_follows(sim):
    assert about(sim.run(asleeps, seconds=90), seconds=90)


def test_anyio_move_on_after_follows(sim):
    @flow
    async def moves_on():
        with anyio.move_on_after(120) as scope:
            await anyio.sleep(3600)
        return scope.cancelled_caught

    run = sim.run(moves_on)
    assert run.state == "Completed"
    assert about(run, minutes=2)


def test_asyncio_wait_for_follows(sim):
    @flow
    async def gives_up():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(3600), timeout=45)

    run = sim.run(gives_up)
    assert run.state == "Completed", run.message
    assert about(run, seconds=45)


def test_future_result_with_a_timeout_follows(sim):
    @flow
    def gives_up():
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(time.sleep, 300)
            with pytest.raises(TimeoutError):
                future.result(timeout=60)

    run = sim.run(gives_up)
    assert run.state == "Completed", run.message
    assert about(run, minutes=5)  # the pool waits for its item at its end


def test_event_wait_with_a_timeout_follows(sim):
    @flow
    def waits():
        assert not threading.Event().wait(30)

    run = sim.run(waits)
    assert run.state == "Completed", run.message
    assert about(run, seconds=30)


def test_an_event_set_by_another_thread_wakes_at_its_instant(sim):
    @flow
    def waits():
        event = threading.Event()

        def later():
            time.sleep(120)
            event.set()

        thread = threading.Thread(target=later)
        thread.start()
        assert event.wait(3600)
        thread.join()

    run = sim.run(waits)
    assert run.state == "Completed", run.message
    assert about(run, minutes=2)


def test_queue_get_with_a_timeout_follows(sim):
    @flow
    def waits():
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=75)

    run = sim.run(waits)
    assert run.state == "Completed", run.message
    assert about(run, seconds=75)


def test_joining_a_thread_follows(sim):
    @flow
    def joins():
        thread = threading.Thread(target=time.sleep, args=(240,))
        thread.start()
        thread.join(timeout=60)
        assert thread.is_alive()
        thread.join()
        assert not thread.is_alive()

    run = sim.run(joins)
    assert run.state == "Completed", run.message
    assert about(run, minutes=4)


def test_retries_with_a_delay_follow(sim):
    attempts = []

    @task(retries=2, retry_delay_seconds=120)
    def flaky():
        attempts.append(time.time())
        if len(attempts) < 3:
            raise ValueError("not yet")

    @flow
    def retries():
        flaky()

    run = sim.run(retries)
    assert run.state == "Completed", run.message
    assert about(run, minutes=4)
    assert [state.name for state in run.tasks[0].states] == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed"
    ]  # fmt: skip


def test_flow_timeout_interrupts_a_sleeping_sync_flow(sim):
    @flow(timeout_seconds=90)
    def too_slow():
        time.sleep(600)

    run = sim.run(too_slow)
    assert run.state == "TimedOut"
    assert about(run, seconds=90)


def test_flow_timeout_interrupts_a_sleeping_async_flow(sim):
    @flow(timeout_seconds=90)
    async def too_slow():
        await asyncio.sleep(600)

    run = sim.run(too_slow)
    assert run.state == "TimedOut"
    assert about(run, seconds=90)


def test_nothing_interrupts_a_sleep_in_a_pool_thread(sim):
    @task(timeout_seconds=60)
    def too_slow():
        time.sleep(600)

    @flow
    def submits():
        too_slow.submit().wait()

    run = sim.run(submits)
    assert run.tasks[0].state == "TimedOut"
    assert about(run, minutes=10)


def test_run_deployment_with_a_timeout_follows(sim):
    @flow
    def impatient():
        assert not run_deployment("sleeps/dev", timeout=60).state.is_final()

    sim.deploy(sleeps, name="dev")
    run = sim.run(impatient)
    assert run.state == "Completed", run.message
    assert about(run, minutes=1)


def test_run_deployment_waits_for_the_end_of_the_run(sim):
    @flow
    def patient():
        assert run_deployment("sleeps/dev").state.is_completed()

    sim.deploy(sleeps, name="dev")
    run = sim.run(patient)
    assert run.state == "Completed", run.message
    (child,) = run.children
    assert about(child, minutes=10)
    assert timedelta(0) <= run.end - child.end <= timedelta(seconds=5)


def test_async_run_deployment_waits_for_the_end_of_the_run(sim):
    @flow
    async def patient():
        states = await asyncio.gather(*(run_deployment("sleeps/dev") for _ in range(3)))
        assert all(run.state.is_completed() for run in states)

    sim.deploy(sleeps, name="dev")
    run = sim.run(patient)
    assert run.state == "Completed", run.message
    assert len(run.children) == 3
    assert timedelta(minutes=10) <= lasted(run) <= timedelta(minutes=10, seconds=20)


# -- 1: everybody reads the same clock ------------------------------------------------------------


def clocks() -> dict[str, Callable[[], float]]:
    """Every way to ask what time it is, each in seconds since the epoch."""
    found = {
        "datetime.now": lambda: dt.datetime.now(dt.UTC).timestamp(),
        "datetime.now, bound before": lambda: datetime.now(UTC).timestamp(),
        "datetime.now, naive": lambda: datetime.now().replace(tzinfo=UTC).timestamp(),  # noqa: DTZ005
        "datetime.utcnow": lambda: datetime.utcnow().replace(tzinfo=UTC).timestamp(),  # noqa: DTZ003
        "time.time": lambda: time.time(),
        "time.time_ns": lambda: time.time_ns() / 1e9,
        "time.time_ns, bound before": lambda: time_ns() / 1e9,
        "time.monotonic": lambda: time.monotonic(),
        "time.monotonic, bound before": lambda: monotonic(),
        "time.monotonic_ns": lambda: time.monotonic_ns() / 1e9,
        "logging": lambda: logging.makeLogRecord({}).created,
        "Prefect": lambda: prefect_now().timestamp(),
        "Prefect, in a time zone": lambda: prefect_now("Europe/Berlin").timestamp(),
    }
    with contextlib.suppress(ModuleNotFoundError):  # comes with Prefect up to Python 3.12
        import pendulum

        found["pendulum"] = lambda: pendulum.now("UTC").timestamp()
        found["pendulum, in a time zone"] = lambda: pendulum.now("Asia/Tokyo").timestamp()
    with contextlib.suppress(ModuleNotFoundError):  # comes with Prefect from Python 3.13 on
        import whenever

        instant, zoned = whenever.Instant, whenever.ZonedDateTime
        found["whenever"] = lambda: whenever.Instant.now().timestamp_nanos() / 1e9
        found["whenever, bound before"] = lambda: instant.now().timestamp_nanos() / 1e9
        found["whenever, in a time zone"] = lambda: zoned.now("Asia/Tokyo").timestamp_nanos() / 1e9
    return found


CLOCKS = clocks()


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
def test_everybody_reads_the_same_clock(sim):
    def look(where):
        for name, read in CLOCKS.items():
            earlier, instant, later = time.time(), read(), time.time()
            if not earlier - 1e-6 <= instant <= later + 1e-6:
                wrong[f"{name} {where}"] = (earlier, instant, later)
        looked.append((where, later))

    @flow
    def looks():
        look("in a flow")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(look, "in a pool").result()
        time.sleep(86_400)

    @flow
    async def alooks():
        await asyncio.sleep(0.25)
        look("in a loop")

    wrong, looked = {}, []
    sim.advance(hours=7, seconds=0.5)
    look("in the driving thread")
    assert sim.run(looks).state == "Completed"
    assert sim.run(alooks).state == "Completed"
    assert not wrong
    start = sim.start.timestamp() + 7 * 3600 + 0.5
    expected = [0.0, 0.0, 0.0, 86_400.25]
    assert [later - start for _, later in looked] == pytest.approx(expected, abs=0.1)


def test_the_date_is_the_clocks(sim):
    sim.advance(days=40)
    assert dt.date.today() == dt.date(2026, 2, 14)  # noqa: DTZ011
    assert time.gmtime()[:3] == (2026, 2, 14)
    assert time.strftime("%Y-%m-%d", time.gmtime()) == "2026-02-14"
    assert abs(calendar.timegm(time.gmtime()) - sim.now.timestamp()) <= 1


# -- 1: SQL reads the same clock ------------------------------------------------------------------


def test_sql_now_follows_in_prefects_database(sim):
    @flow
    def nothing():
        pass

    sim.advance(days=3)
    run = sim.run(nothing)
    (updated,) = sim._world.database.execute(
        "select updated from flow_run where id = ?", [str(run.id)]
    ).fetchone()
    assert updated.startswith("2026-01-08 00:00:0")


def test_sql_now_follows_in_duckdb(sim):
    sim.advance(hours=30)
    ((now,),) = sim.warehouse.query("select now()")
    assert abs(now - sim.now) < SECOND


# -- 4: one wake at a time ------------------------------------------------------------------------


def test_timers_of_one_instant_fire_in_the_order_in_which_they_were_set(sim):
    order = []

    @flow
    def many():
        def wake(index):
            order.append(("begins", index))
            time.sleep(60)
            order.append(("wakes", index))

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(wake, range(20)))

    sim.run(many)
    assert order == [(what, index) for what in ("begins", "wakes") for index in range(20)]


# -- 6: it never hangs silently -------------------------------------------------------------------


def test_a_stall_names_its_holder():
    @flow
    def hangs():
        os.read(reader, 1)  # blocks, and nothing knows why

    reader, writer = os.pipe()
    try:
        with Simulation(start=START, stall_limit=4) as sim:
            with pytest.raises(ClockStalled) as stalled:
                sim.run(hangs)
            os.write(writer, b"x")
    finally:
        os.close(reader)
        os.close(writer)
    message = str(stalled.value)
    message = message.splitlines()[0]
    assert "flow 'hangs'" in message
    assert "os.read(reader, 1)" in message
    assert "test_contract.py" in message


def test_waiting_for_what_can_never_happen_is_said_at_once(sim):
    @flow
    def waits():
        threading.Event().wait()

    with pytest.raises(NothingToRun) as nothing:
        sim.run(waits)
    assert "threading.Event().wait()" in str(nothing.value)


# -- 7: never the same instant twice --------------------------------------------------------------


def test_no_two_reads_are_equal_across_threads(sim):
    def read(_):
        return [round(time.time() * 1e6) for _ in range(500)] + [
            round(time.monotonic() * 1e6) for _ in range(500)
        ]

    @flow
    def reads():
        with ThreadPoolExecutor(8) as pool:
            return [instant for instants in pool.map(read, range(8)) for instant in instants]

    seen = []

    @flow
    def outer():
        seen.extend(reads())

    sim.run(outer)
    assert len(seen) == 8000
    assert len(set(seen)) == len(seen)


def test_prefects_own_now_never_shows_an_instant_twice(sim):
    def read(zone):
        return [prefect_now(zone) for _ in range(500)]

    @flow
    def reads():
        with ThreadPoolExecutor(8) as pool:
            seen.extend(pool.map(read, ["UTC", "Europe/Berlin", "Asia/Tokyo", "UTC"] * 2))

    seen = []
    assert sim.run(reads).state == "Completed"
    assert all(one == sorted(one) for one in seen)
    assert len({instant for one in seen for instant in one}) == 4000
    assert {str(one[0].tzinfo) for one in seen} >= {"Europe/Berlin", "Asia/Tokyo"}
    assert all(one[0].utcoffset() == one[-1].utcoffset() for one in seen)


# -- 8: leaving restores everything ---------------------------------------------------------------


def tells_real_time(read):
    return abs(read() - Real.time()) < 60


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
def test_outside_everybody_reads_the_real_clock():
    since_start = {name for name in CLOCKS if name.startswith(("time.monotonic", "time.perf"))}
    for _ in range(2):
        assert {name for name in CLOCKS if not tells_real_time(CLOCKS[name])} == since_start
        with Simulation(start=START):
            assert not [name for name in CLOCKS if tells_real_time(CLOCKS[name])]


def snapshot():
    import datetime

    import duckdb
    from dbt.cli.main import dbtRunner
    from prefect.settings import get_current_settings

    return (
        time.time, time.sleep, time.monotonic, datetime.datetime, threading.Thread.start,
        threading.Thread.join, threading.Condition.wait, queue.SimpleQueue, threading._time,
        ThreadPoolExecutor.submit, subprocess.time, asyncio.get_event_loop_policy(),
        duckdb.connect, dbtRunner.invoke, dict(os.environ), get_current_settings().hash_key(),
        {thread.name for thread in threading.enumerate()},
    )  # fmt: skip


def test_leaving_restores_everything():
    before = snapshot()
    with Simulation(start=START) as sim:
        sim.setenv(OF_A_SIMULATION="yes")
        sim.deploy(sleeps, name="dev", cron="0 * * * *")
        sim.advance(hours=1, minutes=5)  # one run is in the middle of its sleep
        folder = sim.folder
    assert snapshot() == before
    assert not folder.exists()


def test_leaving_by_an_exception_restores_everything():
    before = snapshot()

    def breaks() -> None:
        with Simulation(start=START) as sim:
            sim.deploy(asleeps, name="dev", cron="0 * * * *")
            sim.advance(hours=1, minutes=5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert snapshot() == before


def test_the_next_simulation_starts_clean():
    for _ in range(2):
        with Simulation(start=START) as sim:
            run = sim.run(sleeps, seconds=60)
            assert about(run, minutes=1)
            assert [one.id for one in sim.runs()] == [run.id]


def test_a_module_first_imported_in_a_simulation_sleeps_as_it_should_ever_after(
    tmp_path, monkeypatch
):
    (tmp_path / "imported_within.py").write_text("from time import sleep\n")
    monkeypatch.syspath_prepend(tmp_path)

    @flow
    def naps():
        importlib.import_module("imported_within").sleep(600)

    try:
        for _ in range(2):
            with Simulation(start=START) as sim:
                assert about(sim.run(naps), minutes=10)
            began = Real.monotonic()
            sys.modules["imported_within"].sleep(0.05)
            assert Real.monotonic() - began >= 0.05
    finally:
        del sys.modules["imported_within"]


def test_sleep_is_virtual_wherever_it_was_bound():
    class Naps:
        sleep = time.sleep

    def with_default(seconds, sleep=time.sleep):
        sleep(seconds)

    @flow
    def naps():
        for nap in (with_default, Naps.sleep, partial(time.sleep), {"nap": time.sleep}["nap"]):
            nap(600)

    bound = time.sleep
    with Simulation(start=START) as sim:
        assert about(sim.run(naps), minutes=40)
    assert bound is time.sleep


def test_two_simulations_at_once_are_refused():
    with Simulation(start=START), pytest.raises(SimulationError, match="open in this process"):
        Simulation(start=START).__enter__()


# -- the contract can be broken ---------------------------------------------------------------------


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_every_break_of_the_contract_still_breaks_something(one):
    source = (REPOSITORY / "simulator" / one.file).read_text()
    assert one.made_in(source) != source
    guards = [(REPOSITORY / file).read_text() for file in TESTS]
    assert any(f"def {one.guard}(" in text for text in guards)
