"""`timeout_seconds`, and an alarm of one's own, around waits for the real world."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests
from prefect import flow, task

SECONDS = 0.5
EXACT = timedelta(milliseconds=1)
"""How exactly a record tells when something was."""

SLOW = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(20)"]
LATE = [sys.executable, "-c", "import time; time.sleep(1.5)"]
QUICK = [sys.executable, "-c", "print(1)"]


@flow(timeout_seconds=SECONDS)
def runs():
    subprocess.run(SLOW, check=True)


@flow(timeout_seconds=SECONDS)
def captures():
    subprocess.check_output(SLOW, stderr=subprocess.PIPE)


@flow(timeout_seconds=SECONDS)
def captures_within_a_longer_one():
    subprocess.run(SLOW, check=True, capture_output=True, timeout=15)


@flow(timeout_seconds=SECONDS)
def reads_lines():
    with subprocess.Popen(SLOW, stdout=subprocess.PIPE) as process:
        try:
            for _ in process.stdout:
                pass
        finally:
            process.kill()


@flow(timeout_seconds=SECONDS)
def asks_a_server():
    requests.get(os.environ["SILENT"])


@task(timeout_seconds=SECONDS)
def runs_in_a_task():
    subprocess.run(SLOW, check=True)


@flow
def calls_a_task():
    runs_in_a_task()


@task
def has_no_time_out():
    subprocess.run(LATE, check=True)


@flow(timeout_seconds=SECONDS)
def waits_for_a_thread():
    has_no_time_out.submit().result()


@flow(timeout_seconds=SECONDS)
async def awaits_a_thread():
    await asyncio.to_thread(subprocess.run, LATE, check=True)


@task(timeout_seconds=SECONDS)
async def awaits_a_thread_in_a_task():
    await asyncio.to_thread(subprocess.check_output, LATE)


@flow
async def calls_one_that_awaits_a_thread():
    await awaits_a_thread_in_a_task()


@flow
def sets_an_alarm():
    def ring(signum, frame):
        raise TimeoutError("the bell")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    subprocess.run(SLOW, check=True)


@pytest.mark.parametrize(
    "flow_",
    [
        *(runs, captures, captures_within_a_longer_one, reads_lines, asks_a_server),
        *(calls_a_task, sets_an_alarm, waits_for_a_thread, awaits_a_thread),
        *(calls_one_that_awaits_a_thread,),
    ],
    ids=lambda one: one.name,
)
def test_a_time_out_ends_a_wait_for_the_real_world_after_as_much_virtual_time(simulation, flow_):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        simulation.setenv(SILENT="http://{}:{}/".format(*silent.getsockname()))
        run = ended(simulation, flow_)
    assert (run.state, run.end - run.start) == ("TimedOut", timedelta(seconds=SECONDS)), run.message


@task(timeout_seconds=SECONDS)
def waits():
    subprocess.run(LATE, check=True)


@task(timeout_seconds=SECONDS)
def waits_for_lines():
    with subprocess.Popen(LATE, stdout=subprocess.PIPE) as process:
        return list(process.stdout)


@flow
def submits():
    waits.submit().wait()
    return waits_for_lines.submit(return_state=True)


def test_a_task_in_a_thread_is_ended_when_it_comes_back_as_prefect_does(simulation):
    run = ended(simulation, submits)
    assert [task_run.state for task_run in run.tasks] == ["TimedOut", "TimedOut"]


@flow(timeout_seconds=60)
def is_quick():
    return subprocess.check_output(QUICK), subprocess.run(QUICK, capture_output=True).stdout


@task(timeout_seconds=60)
def is_quick_too():
    return subprocess.check_output(QUICK)


@flow
def submits_a_quick_one():
    return is_quick_too.submit().result()


@pytest.mark.parametrize(
    ("flow_", "result"),
    [(is_quick, (b"1\n", b"1\n")), (submits_a_quick_one, b"1\n")],
    ids=lambda one: getattr(one, "name", ""),
)
def test_what_comes_before_the_time_out_takes_no_virtual_time(simulation, flow_, result):
    run = simulation.run(flow_)
    assert run.result == result
    assert run.end == run.start


@flow
def is_woken():
    """The handler of an alarm that does not raise: the wait goes on, and nothing of it is lost."""
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(datetime.now(UTC)))
    signal.setitimer(signal.ITIMER_REAL, SECONDS, SECONDS)
    talks = [sys.executable, "-c", "import sys, time; time.sleep(1.2); print(sys.stdin.read())"]
    said = subprocess.run(talks, check=True, capture_output=True, input=b"hello").stdout
    signal.setitimer(signal.ITIMER_REAL, 0)
    return said, len(rung)


def test_a_wait_goes_on_after_an_alarm_that_raises_nothing(simulation):
    run = simulation.run(is_woken)
    said, times = run.result
    assert said == b"hello\n"
    assert times >= 2
    assert run.end - run.start == pytest.approx(timedelta(seconds=times * SECONDS), abs=EXACT)


@flow
def keeps_its_own_time_out():
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        subprocess.run(SLOW, check=True, timeout=0.8, capture_output=True)
    except subprocess.TimeoutExpired as error:
        return error.stdout


def test_a_time_out_of_its_own_counts_what_has_passed_before_the_alarm(simulation):
    run = simulation.run(keeps_its_own_time_out)
    assert run.result == b"1\n"
    assert run.end - run.start == pytest.approx(timedelta(seconds=0.8), abs=EXACT)


SPEAKS = [
    sys.executable,
    "-c",
    "import time; time.sleep(0.2); print(1, flush=True); time.sleep(20)",
]


@flow(timeout_seconds=15)
def sees_an_event_once():
    """What a poller of this kind has told of once, it does not tell of again."""
    with subprocess.Popen(SPEAKS, stdout=subprocess.PIPE) as process, select.epoll() as poller:
        poller.register(process.stdout, select.EPOLLIN | select.EPOLLONESHOT)
        found = poller.poll()
        process.kill()
    return len(found)


def test_an_event_that_comes_once_is_not_lost(simulation):
    assert simulation.run(sees_an_event_once).result == 1


def ended(simulation, flow_):
    simulation.deploy(flow_, name="d")
    simulation.trigger(f"{flow_.name}/d")
    simulation.advance(minutes=1)
    [run] = simulation.runs()
    return run
