"""The busy time-outs of SQLite between runs, on virtual time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from simulator import Simulation
from simulator.instants import Real
from simulator.patches import sqlite_busy
from tests.process import flows_sqlite as flows
from tests.process.test_apart import printed


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t (i)")
    return path


def said(sim, path, seconds=3, end="", kill_after=None, **waits):
    sim.deploy(flows.writes, name="dev", parameters={"path": path, "seconds": seconds, "end": end})
    sim.deploy(flows.waits, name="dev", parameters={"path": path, **waits})
    first, second = sim.trigger("writes/dev"), sim.trigger("waits/dev")
    if kill_after is not None:
        sim.advance(seconds=kill_after)
        sim.kill(first)
    sim.advance(minutes=5)
    return printed(sim.history().run(second))


@pytest.mark.parametrize("how", ["connect", "pragma", "sqlalchemy", "aiosqlite"])
def test_who_waits_long_enough_gets_through(sim, path, how):
    began = Real.monotonic()
    (answer,) = said(sim, path, how=how, seconds=30, timeout=40)
    word, seconds = answer.split()
    # SQLite looks every tenth of a second.
    assert word == "written"
    assert 29 <= float(seconds) <= 29.2
    assert Real.monotonic() - began < 25


@pytest.mark.parametrize("how", ["connect", "pragma", "sqlalchemy", "aiosqlite"])
def test_who_does_not_is_refused_after_its_time(sim, path, how):
    assert said(sim, path, how=how, timeout=1) == ["locked 1.0"]


def test_who_waits_for_a_transaction_of_its_own_is_refused_after_its_time(sim, path):
    assert printed(sim.run(flows.waits_for_itself, path=path)) == ["locked 2.0"]


@pytest.mark.parametrize("end", ["exits", "raises"])
def test_a_transaction_ends_with_its_process(sim, path, end):
    (answer,) = said(sim, path, end=end, how="connect", timeout=100)
    assert answer.startswith("written 2")


def test_a_transaction_ends_with_its_process_when_that_is_killed(sim, path):
    (answer,) = said(sim, path, seconds=600, kill_after=20, how="connect", timeout=100)
    assert answer.startswith("written")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select i from t").fetchall() == [(2,)]


WRITES = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("begun", flush=True)
time.sleep(1)
connection.execute("commit")
"""


def test_a_real_process_is_waited_for_in_real_time(sim, path):
    sim.deploy(flows.waits, name="dev", parameters={"path": path, "how": "connect", "timeout": 20})
    run = sim.trigger("waits/dev")
    real = [sys.executable, "-c", WRITES, path]
    with subprocess.Popen(real, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        sim.advance(minutes=1)
    assert printed(sim.history().run(run)) == ["written 0.0"]


def test_a_simulation_leaves_sqlite_as_it_was(path):
    before = [vfs.sleep for vfs in sqlite_busy._ways_to_files()]
    with Simulation():
        assert [vfs.sleep for vfs in sqlite_busy._ways_to_files()] != before
    assert [vfs.sleep for vfs in sqlite_busy._ways_to_files()] == before
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("begin immediate")
        began = time.monotonic()
        with closing(sqlite3.connect(path, timeout=0.3)) as other:
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                other.execute("begin immediate")
        assert time.monotonic() - began >= 0.3
