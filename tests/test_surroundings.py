"""Where a simulation is opened: in a running loop, of whatever kind, and beside whatever else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import unittest
from datetime import timedelta
from pathlib import Path

import anyio
import coverage
import nbformat
import pytest
import uvloop
from nbclient import NotebookClient
from prefect import aserve, flow

import simulator
from simulator import Simulation
from simulator.instants import Real
from tests.worker.served_flows import quick

START = "2026-01-05T00:00:00Z"
HOUR = timedelta(hours=1)


@pytest.fixture
def sim():
    with Simulation(start=START) as opened:
        yield opened


@flow
async def sleeps_for_an_hour() -> str:
    await asyncio.sleep(3600)
    return "slept"


@flow
async def gathers() -> list[str]:
    return await asyncio.gather(sleeps_for_an_hour(), sleeps_for_an_hour())


# -- in a running loop ---------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_simulation_works_in_an_async_test(sim):
    sim.deploy(quick, "dev", interval=600)
    sim.advance(hours=1)
    assert len(sim.runs("quick", state="Completed")) == 5
    assert sim.run(sleeps_for_an_hour).state == "Completed"


@pytest.mark.asyncio
async def test_a_simulation_is_opened_in_an_async_test():
    with Simulation(start=START) as sim:
        sim.deploy(quick, "dev", interval=600)
        await asyncio.sleep(3500)
        assert sim.now - sim.start == timedelta(seconds=3500)
        assert len(sim.runs("quick", state="Completed")) == 5
    before = Real.monotonic()
    await asyncio.sleep(0.05)
    assert Real.monotonic() - before >= 0.04


@pytest.mark.asyncio
async def test_sleeps_of_an_async_test_let_the_world_run_and_go_on_side_by_side(sim):
    order = []

    async def sleep(name, seconds):
        await anyio.sleep(seconds)
        order.append((name, sim.now - sim.start))

    await asyncio.gather(sleep("b", 7200), sleep("a", 3600))
    assert order == [("a", HOUR), ("b", 2 * HOUR)]


@pytest.mark.asyncio
async def test_a_time_out_of_an_async_test_is_virtual(sim):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 3600)
    assert sim.now - sim.start == HOUR


@pytest.mark.asyncio
async def test_an_async_flow_is_awaited_and_takes_the_time_that_it_takes(sim):
    assert await gathers() == ["slept", "slept"]
    assert sim.now - sim.start == HOUR
    assert [run.state for run in sim.runs()] == ["Completed"] * 3


@pytest.mark.asyncio
async def test_aserve_in_an_async_test(sim):
    await aserve(await quick.ato_deployment("dev", interval=600))
    await asyncio.sleep(3500)
    assert len(sim.runs("quick", state="Completed")) == 5


@pytest.mark.asyncio
async def test_a_thread_of_an_async_test_drives(sim):
    sim.deploy(quick, "dev", interval=600)
    await asyncio.to_thread(sim.advance, hours=1)
    assert sim.now - sim.start == HOUR
    await anyio.to_thread.run_sync(lambda: sim.advance(hours=1))
    assert sim.now - sim.start == 2 * HOUR


@pytest.mark.asyncio
async def test_time_does_not_run_away_while_a_thread_works_in_real_time(sim):
    sim.deploy(quick, "dev", interval=600)
    await asyncio.to_thread(Real.sleep, 0.1)
    await anyio.to_thread.run_sync(Real.sleep, 0.1)
    assert sim.now == sim.start


@pytest.mark.asyncio
async def test_a_server_in_the_loop_of_a_test_answers_in_no_time(sim):
    async def answer(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        sim.deploy(quick, "dev", interval=600)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        assert await asyncio.wait_for(reader.readline(), 5) == b"hello\n"
        assert sim.now == sim.start
        writer.close()
        await asyncio.sleep(3600)
        assert sim.now - sim.start == HOUR


@pytest.mark.asyncio
async def test_timers_from_before_stay_in_real_time():
    rung = []
    loop = asyncio.get_running_loop()
    loop.call_later(0.2, rung.append, "real")
    far = loop.call_later(3000, rung.append, "far")
    with Simulation(start=START) as sim:
        sim.advance(days=1)
        await asyncio.sleep(3600)
        assert "far" not in rung
        Real.sleep(0.25)
        await asyncio.sleep(1)
        assert rung == ["real"]
    assert far.when() > loop.time() + 1000
    far.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_simulation_works_under_anyios_plugin(sim, anyio_backend):
    sim.deploy(quick, "dev", interval=600)
    await anyio.sleep(3500)
    assert len(sim.runs("quick", state="Completed")) == 5


def test_asyncio_run_in_a_test_lets_the_world_run(sim):
    assert asyncio.run(gathers()) == ["slept", "slept"]
    assert sim.now - sim.start == HOUR
    sim.advance(hours=1)
    assert asyncio.run(sleeps_for_an_hour()) == "slept"
    assert sim.now - sim.start == 3 * HOUR


def test_anyio_run_in_a_test_lets_the_world_run(sim):
    assert anyio.run(sleeps_for_an_hour) == "slept"
    assert sim.now - sim.start == HOUR


class InUnittest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.sim = self.enterContext(Simulation(start=START))

    async def test(self):
        self.sim.deploy(quick, "dev", interval=600)
        await asyncio.sleep(3500)
        self.assertEqual(len(self.sim.runs("quick", state="Completed")), 5)  # noqa: PT009
        self.assertEqual(await sleeps_for_an_hour(), "slept")  # noqa: PT009


def test_a_loop_of_another_kind_sleeps_in_virtual_time():
    async def main():
        with Simulation(start=START) as sim:
            sim.deploy(quick, "dev", interval=600)
            await asyncio.sleep(3600)
            await anyio.sleep(3600)
            assert sim.now - sim.start == 2 * HOUR
            assert await sleeps_for_an_hour() == "slept"
            assert sim.now - sim.start == 3 * HOUR
            return len(sim.runs("quick", state="Completed"))

    assert uvloop.run(main()) >= 17


CELLS = [
    """
import asyncio
from prefect import flow
from simulator import Simulation

@flow
def hourly():
    return 1

@flow
async def waits():
    await asyncio.sleep(3600)
    return "slept"
""",
    """
sim = Simulation().__enter__()
sim.deploy(hourly, name="dev", cron="0 * * * *")
sim.advance(hours=2.5)
print(len(sim.runs("hourly", state="Completed")))
""",
    """
print(await waits(), round((sim.now - sim.start).total_seconds()))
await asyncio.sleep(3600)
print(round((sim.now - sim.start).total_seconds()))
""",
    """
sim.__exit__(None, None, None)
await asyncio.sleep(0.1)
print("closed")
""",
]


def test_a_simulation_lives_in_the_cells_of_a_notebook(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(simulator.__file__).parent.parent))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    told = "".join(one.text for cell in notebook.cells for one in cell.outputs if "text" in one)
    assert told.split("\n")[:4] == ["2", "slept 12600", "16200", "closed"]


MEASURED = """
from prefect import flow, task
from prefect.deployments import run_deployment
from simulator import Simulation

@task
def load():
    return "loaded"

@flow
async def child():
    return load()

@flow
def parent():
    submitted = load.submit()
    run_deployment("child/dev")
    return submitted.result()

if __name__ == "__main__":
    with Simulation(modules="{modules}", stall_limit=60) as sim:
        sim.deploy(child, name="dev")
        sim.deploy(parent, name="dev", cron="0 * * * *")
        sim.advance(hours=1.5)
        assert [run.state for run in sim.runs()] == ["Completed"] * 2, sim.runs()
"""


@pytest.mark.parametrize("modules", ["shared", "fresh"])
def test_coverage_measures_what_runs_in_flows_and_tasks(tmp_path, modules):
    script, data = tmp_path / "script.py", tmp_path / "measured"
    script.write_text(MEASURED.format(modules=modules))
    command = [sys.executable, "-m", "coverage", "run", "--branch", "--data-file", data, script]
    subprocess.run(command, cwd=tmp_path, check=True)
    measured = coverage.Coverage(data)
    measured.load()
    assert measured.analysis2(str(script))[3] == []  # the lines that did not run


# -- clocks ----------------------------------------------------------------------------------------------


def test_what_times_the_opening_does_not_jump():
    for read, second in ((time.perf_counter, 1), (time.perf_counter_ns, 1_000_000_000)):
        before = read()
        with Simulation() as sim:
            assert 0 <= read() - before < 120 * second
            began = read()
            sim.advance(hours=1)
            assert round((read() - began) / second) == 3600
