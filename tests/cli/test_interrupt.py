"""Ctrl-C in the middle of a script's simulation: it comes out, and nothing of the simulation stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from simulator.cache import cache_folder

FLOWS = """
import asyncio, json, os, signal, subprocess, threading, time
from concurrent.futures import ThreadPoolExecutor
from prefect import flow, task
from prefect.deployments import run_deployment
from simulator import Simulation

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below some shells

@flow
def sleeps():
    time.sleep(600)

@flow
async def asleeps():
    await asyncio.gather(*(asyncio.sleep(600) for _ in range(3)))

@task
def works(number):
    time.sleep(600)

@flow
def waits():
    run_deployment("sleeps/dev")

@flow
def pools():
    [future.wait() for future in [works.submit(number) for number in range(3)]]

@flow
def interrupts():
    # As Ctrl-C: the main thread gets it. `os.kill` would interrupt this run's own process.
    subprocess.run(["kill", "-INT", str(os.getpid())], check=True)
    sum(range(10_000_000))

def simulate():
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        for one in (sleeps, asleeps, waits, pools):
            sim.deploy(one, name="dev", cron="0 * * * *")
        sim.deploy(interrupts, name="dev", cron="5 * * * *")
        sim.advance(days=30)
    raise SystemExit("it was not interrupted")
"""


@pytest.fixture
def run(tmp_path):
    """Run a script with a folder for temporary files of its own."""

    def run(script):
        file = tmp_path / "script.py"
        file.write_text(FLOWS + textwrap.dedent(script))
        (tmp_path / "tmp").mkdir()
        own = {"TMPDIR": str(tmp_path / "tmp"), "PREFECT_SIMULATOR_CACHE": str(cache_folder())}
        done = subprocess.run(
            [sys.executable, "-W", "default::ResourceWarning", str(file)],
            cwd=tmp_path,
            env=os.environ | own | {"PREFECT_HOME": str(tmp_path / "prefect")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert list((tmp_path / "tmp").glob("prefect-simulator-*")) == []
        return done

    return run


NOISE = (
    "Task was destroyed",
    "never awaited",
    "Exception ignored",
    "SimulationEnded",
    "ResourceWarning",
)


def quiet(errors):
    return [line for line in errors.splitlines() if any(noise in line for noise in NOISE)] == []


def test_a_script_that_catches_it_goes_on_as_before(run):
    done = run(
        """
        before = threading.enumerate()
        try:
            simulate()
        except KeyboardInterrupt:
            caught = True
        left = [one.name for one in threading.enumerate() if one not in before]
        with Simulation(start="2026-01-05T00:00:00Z") as sim:
            state = sim.run(sleeps).state
        print(json.dumps([caught, left, state]))
        """
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, [], "Completed"]
    assert quiet(done.stderr), done.stderr[-2000:]


def test_a_script_that_does_not_ends_by_the_signal(run):
    done = run("simulate()")
    assert done.returncode == -signal.SIGINT, done.stderr[-2000:]
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert quiet(done.stderr), done.stderr[-2000:]
