"""Timers of event loops on the virtual clock, without Prefect."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import selectors
import socket
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import anyio
import pytest

from simulator.clock import start_counted
from simulator.clock.virtual import VirtualClock
from simulator.errors import NothingToRun, UnsupportedOperation
from simulator.instants import Real, to_micros
from simulator.patches.stdlib import installed

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def clock():
    return VirtualClock(START, stall_limit=10)


@pytest.fixture
def run(clock):
    """Run a coroutine in an event loop of a counted thread, to its end. Returns what it does."""

    def run(main):
        result = []

        def target():
            try:
                result.append(asyncio.run(main))
            except Exception as error:
                result.append(error)

        thread = threading.Thread(target=target, daemon=True)
        start_counted(thread, clock)
        clock.drive(None, done=lambda: bool(result))
        thread.join()
        (ended,) = result
        if isinstance(ended, Exception):
            raise ended
        return ended

    with installed(clock, contextvars.copy_context()):
        yield run


def at(clock) -> float:
    """Seconds from the start to the clock's instant."""
    return (clock.instant - to_micros(START)) / 1e6


def test_a_deadline_is_met_at_its_instant_however_often_the_loop_wakes(clock, run):
    async def restless():
        for second in range(1, 120):
            await asyncio.sleep(1)
            assert at(clock) == second
            for _ in range(200):
                time.time()

    async def main():
        with anyio.move_on_after(120) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(restless)
                await anyio.sleep_forever()
        return scope.cancelled_caught, at(clock), time.monotonic()

    begin = time.monotonic()
    cancelled, instant, end = run(main())
    assert (cancelled, instant) == (True, 120)
    assert end - begin >= 120


def test_the_time_of_a_loop_is_the_monotonic_clock(run):
    async def main():
        read = asyncio.get_running_loop().time
        return [clock() for clock in (time.monotonic, read, time.monotonic, read)]

    reads = run(main())
    assert [round((after - before) * 1e6) for before, after in pairwise(reads)] == [1, 1, 1]


def test_timers_of_one_loop_fire_in_order_each_to_its_rest(clock, run):
    fired = []

    async def chain(name):
        fired.append((name, "wakes"))
        await asyncio.sleep(0)
        fired.append((name, "rests"))

    async def main():
        loop = asyncio.get_running_loop()
        tasks = []
        for name in "abc":
            loop.call_later(5, lambda name=name: tasks.append(loop.create_task(chain(name))))
        await asyncio.sleep(5)
        return [at(clock), *[await task for task in tasks]]

    assert run(main()) == [5, None, None, None]
    assert fired == [(name, step) for name in "abc" for step in ("wakes", "rests")]


def test_a_cancelled_timer_does_not_fire_and_is_nobodys_reason_to_wait(clock, run):
    wrong = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: wrong.append(context))
        handles = [loop.call_later(delay, wrong.append, "cancelled") for delay in (0, 1, 3600)]
        handles.append(loop.call_at(loop.time() - 1, wrong.append, "cancelled"))
        for handle in handles:
            handle.cancel()
        kept = loop.call_later(2, lambda: None)
        assert kept.when() == pytest.approx(loop.time() + 2, abs=0.001)
        await asyncio.sleep(5)

    run(main())
    assert wrong == []
    with pytest.raises(NothingToRun):
        clock.drive(None, done=lambda: False)
    assert at(clock) == 5


def test_a_timer_of_the_past_fires_though_the_loop_waits_for_a_socket(clock, run):
    async def main():
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.call_later(0, theirs.send, b"x")
        try:
            return await loop.sock_recv(ours, 1), at(clock)
        finally:
            ours.close()
            theirs.close()

    assert run(main()) == (b"x", 0)


def test_the_timers_of_a_closed_loop_are_gone(clock, run):
    async def main():
        asyncio.get_running_loop().call_later(3600, pytest.fail, "its loop is closed")

    run(main())
    clock.drive(START + timedelta(days=1))


def test_an_error_in_a_timer_is_told_by_the_loop(clock, run):
    told = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
        loop.call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    run(main())
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_a_timer_runs_in_the_context_it_was_set_in(clock, run):
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        variable.set("at the setting")
        loop.call_later(1, lambda: seen.append(variable.get()))
        loop.call_at(loop.time(), lambda: seen.append(variable.get()))
        variable.set("later")
        given = contextvars.copy_context()
        given.run(variable.set, "given")
        loop.call_later(2, lambda: seen.append(variable.get()), context=given)
        await asyncio.sleep(3)

    run(main())
    assert seen == ["at the setting", "at the setting", "given"]


@pytest.mark.parametrize("seconds", [1e-5, 1e-4])
def test_the_shortest_sleep_moves_time_to_the_next_millisecond(clock, run, seconds):
    async def main():
        await asyncio.sleep(seconds)
        return at(clock)

    assert run(main()) == 0.001


@pytest.mark.parametrize("before", [0, 0.2])
@pytest.mark.parametrize("after", [0, 0.02])
def test_what_another_thread_puts_into_a_loop_is_run_at_that_instant(
    clock, run, monkeypatch, before, after
):
    """Whoever is slow: the one that puts it in, the loop that awakes, or neither."""
    put, unpark = asyncio.BaseEventLoop.call_soon_threadsafe, clock.unpark

    def slowly_put(loop, callback, *args, context=None):
        Real.sleep(before if callback is note else 0)
        handle = put(loop, callback, *args, context=context)
        Real.sleep(after if callback is note else 0)
        return handle

    def slowly_unpark(wait):
        Real.sleep(0.05)
        return unpark(wait)

    def note(noted):
        noted.set_result(at(clock))

    async def main():
        noted = asyncio.get_running_loop().create_future()

        def another():
            Real.sleep(0.2)  # until the loop waits
            noted.get_loop().call_soon_threadsafe(note, noted)

        threading.Thread(target=another).start()
        return await noted

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", slowly_put)
    monkeypatch.setattr(clock, "unpark", slowly_unpark)
    clock.call_later(10, lambda: None)
    assert run(main()) == 0


class LoopOfMine(asyncio.SelectorEventLoop):
    """As libraries have theirs: with something of its own."""

    def __init__(self, selector=None):
        super().__init__(selector)
        self.made = 0

    def create_task(self, *args, **kwargs):
        self.made += 1
        return super().create_task(*args, **kwargs)


def test_a_loop_of_ones_own_class_follows_and_is_what_it_is(clock, run):
    def by_hand():
        loop = LoopOfMine()
        try:
            loop.run_until_complete(asyncio.sleep(3600))
            return at(clock), loop.made, isinstance(loop, LoopOfMine)
        finally:
            loop.close()

    async def main():
        return await asyncio.to_thread(by_hand)

    assert run(main()) == (3600, 1, True)


@pytest.mark.parametrize("selector", [None, selectors.SelectSelector], ids=["own", "given"])
def test_a_loop_that_is_made_by_hand_follows(clock, run, selector):
    async def sleeps():
        await asyncio.sleep(3600)
        return at(clock)

    def by_hand():
        loop = asyncio.SelectorEventLoop(selector and selector())
        try:
            return loop.run_until_complete(sleeps())
        finally:
            loop.close()

    async def main():
        return await asyncio.to_thread(by_hand)

    assert run(main()) == 3600


def with_uvloop():
    sleeps = asyncio.sleep(3600)
    try:
        importlib.import_module("uvloop").run(sleeps)
    finally:
        sleeps.close()


def with_gevent():
    importlib.import_module("gevent").sleep(3600)


def with_gevent_in_the_place_of_threads():
    importlib.import_module("gevent.monkey").patch_all()


@pytest.mark.parametrize("waits", [with_uvloop, with_gevent, with_gevent_in_the_place_of_threads])
def test_a_loop_that_cannot_follow_is_refused_in_one_line(clock, waits):
    def call():
        try:
            waits()
        except Exception as error:
            told.append(error)

    told = []
    sleep = time.sleep
    with installed(clock, contextvars.copy_context()):
        thread = threading.Thread(target=call, daemon=True)
        start_counted(thread, clock)
        clock.drive(None, done=lambda: bool(told))
    assert isinstance(told[0], UnsupportedOperation)
    library = waits.__name__.split("_")[1]
    assert str(told[0]).startswith(f"{library} waits where no virtual clock reaches it")
    assert "\n" not in str(told[0])
    assert time.sleep is sleep
    importlib.import_module("uvloop").run(asyncio.sleep(0.01))


def test_a_process_whose_threads_are_green_is_refused_in_one_line():
    script = """
        from gevent import monkey
        monkey.patch_all(thread=False, select=False)  # as importing grequests does
        from simulator import Simulation
        try:
            with Simulation():
                pass
        except Exception as error:
            print(error)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith(
        "gevent has patched os, queue, signal, socket, ssl, subprocess, time in"
    )
    assert told.stdout.count("\n") == 1
