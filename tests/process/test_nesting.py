"""Runs that apply `nest_asyncio`: their event loops nest, and nobody else's."""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import sys
import textwrap
from datetime import timedelta

import nest_asyncio
import pytest
from prefect import flow, task

from simulator import Simulation

HOUR = timedelta(hours=1)


@flow
def applies_and_runs():
    nest_asyncio.apply()
    asyncio.run(asyncio.sleep(1800))
    asyncio.run(asyncio.sleep(1800))


@flow
async def runs_on_its_own_loop():
    nest_asyncio.apply()
    asyncio.get_event_loop().run_until_complete(asyncio.sleep(3600))


@flow
async def runs_a_library_of_coroutines():
    """Three deep, with tasks that go on beside it, before and after."""
    nest_asyncio.apply()

    def library(depth):
        async def waits():
            await asyncio.sleep(600)
            if depth:
                library(depth - 1)

        asyncio.run(waits())

    beside = asyncio.create_task(asyncio.sleep(1500))
    others = [asyncio.create_task(asyncio.sleep(0)) for _ in range(5)]
    library(3)
    assert beside.done()
    await asyncio.gather(*others)
    await asyncio.sleep(1200)


@flow
def applies_its_successor():
    """nest_asyncio2, which comes with ipykernel, and has options."""
    importlib.import_module("nest_asyncio2").apply(error_on_mispatched=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'close'"):
        importlib.import_module("nest_asyncio2").apply(close=True)
    asyncio.run(asyncio.sleep(3600))


@task
def runs():
    asyncio.run(asyncio.sleep(900))


@flow
async def runs_in_tasks():
    nest_asyncio.apply()
    runs()
    runs.submit().wait()
    await asyncio.sleep(1800)


@flow
async def runs_another_loop():
    nest_asyncio.apply()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(1800))
    loop.close()
    await asyncio.sleep(1800)  # its own is the one that runs, as before


@flow
async def has_a_connection_open():
    """Which nobody waits for: not the task in whose middle the other loop runs either."""
    nest_asyncio.apply()
    _, writer = await asyncio.open_connection(sock=near)
    asyncio.run(asyncio.sleep(3600))
    writer.close()


@flow
async def applies_nothing():
    nothing = asyncio.sleep(0)
    try:
        with pytest.raises(RuntimeError, match=r"asyncio\.run\(\) cannot be called from a running"):
            asyncio.run(nothing)
        with pytest.raises(RuntimeError, match="This event loop is already running"):
            asyncio.get_running_loop().run_until_complete(nothing)
    finally:
        nothing.close()


near, far = socket.socketpair()
NESTS = [
    applies_and_runs, applies_its_successor, runs_on_its_own_loop, runs_a_library_of_coroutines, runs_in_tasks,
    runs_another_loop, has_a_connection_open,
]  # fmt: skip


@pytest.fixture
def sim():
    before = asyncio.run, asyncio.Task, asyncio.SelectorEventLoop.run_forever
    with Simulation(stall_limit=20) as sim:
        yield sim
    assert (asyncio.run, asyncio.Task, asyncio.SelectorEventLoop.run_forever) == before
    assert not hasattr(asyncio, "_nest_patched")


@pytest.mark.parametrize("nests", NESTS, ids=lambda nests: nests.name)
def test_loops_nest_and_take_their_virtual_time(sim, nests):
    run = sim.run(nests)
    assert run.state == "Completed", run.message
    assert run.end - run.start == HOUR


def test_a_run_that_has_not_applied_it_is_refused_what_it_would_be(sim):
    assert sim.run(runs_on_its_own_loop).state == "Completed"
    run = sim.run(applies_nothing)
    assert run.state == "Completed", run.message


def test_what_is_no_loop_is_refused_as_nest_asyncio_does(sim):
    @flow
    def applies_to_nothing():
        with pytest.raises(ValueError, match="Can't patch loop of type <class 'object'>"):
            nest_asyncio.apply(object())

    run = sim.run(applies_to_nothing)
    assert run.state == "Completed", run.message


def test_what_a_module_has_applied_before_holds_for_all_and_for_good():
    """As in a notebook, or by a module of flows that a test imports. Here in a process of its own."""
    script = """
        import asyncio, nest_asyncio
        nest_asyncio.apply()
        applied = asyncio.run
        from prefect import flow
        from simulator import Simulation

        @flow
        async def nests():
            asyncio.run(asyncio.sleep(1800))
            await asyncio.sleep(1800)

        async def test():
            for _ in range(2):
                with Simulation(stall_limit=20) as sim:
                    run = sim.run(nests)
                    print(run.state, run.end - run.start)
            assert asyncio.run is applied
            return asyncio.run(asyncio.sleep(0.01, "done"))

        print(asyncio.run(test()))
    """
    told = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.split("\n")[:3] == ["Completed 1:00:00"] * 2 + ["done"], told.stderr
