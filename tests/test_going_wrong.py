"""What goes wrong ends in words and in time, with what had happened by then kept, and nothing left."""

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prefect import flow

from simulator import ClockStalled, NothingToRun, Simulation
from simulator.cache import cache_folder
from simulator.folders import LOCK, throw_away
from simulator.server import template
from simulator.server.template import database_template

PID = os.getpid()


@flow
def job() -> None: ...


@flow
def stands_still(gate: str) -> None:
    with Path(gate).open() as pipe:  # real, and nobody writes: it lasts until the test lets it go
        pipe.read()


@pytest.fixture
def gate(tmp_path):
    """A pipe that keeps who reads it, until the end of the test."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    yield str(path)
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def let_go(gate):
    end = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
    os.close(end)


def test_after_a_stall_all_that_happened_is_there_at_once(gate):
    with Simulation(stall_limit=3) as sim:
        sim.deploy(job, name="dev", interval=600)
        sim.advance(hours=1, minutes=1)
        sim.deploy(stands_still, name="dev", parameters={"gate": gate})
        sim.trigger("stands-still/dev")
        with pytest.raises(ClockStalled) as stalled:
            sim.advance(minutes=10)
        assert len(sim.runs("job", state="Completed")) == 6
        (run,) = sim.runs("stands-still")
        assert run.state == "Running"
        assert run.logs
        let_go(gate)
        sim.advance(minutes=10)
        assert sim.runs("stands-still")[0].state == "Completed"
        assert len(sim.runs("job", state="Completed")) == 7
    cause, advice, *others = str(stalled.value).splitlines()
    assert f"{__file__}:" in cause
    assert "Path(gate).open()" in cause
    assert advice.startswith("What to do: ")
    assert "stall_limit" in advice
    assert not any(__file__ in other for other in others)


def test_what_can_never_happen_names_the_users_line_first():
    @flow
    def waits():
        threading.Event().wait()

    with Simulation() as sim, pytest.raises(NothingToRun) as nothing:
        sim.run(waits)
    cause, advice, *_ = str(nothing.value).splitlines()
    assert "threading.Event().wait()" in cause
    assert f"{__file__}:" in cause
    assert advice.startswith("What to do: ")


def test_after_ctrl_c_all_that_happened_is_there_at_once():
    @flow
    def is_interrupted():
        subprocess.run(
            ["kill", "-INT", str(PID)], check=True
        )  # the real process, as from a terminal

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Simulation() as sim:
            sim.deploy(job, name="dev", interval=600)
            sim.advance(hours=1, minutes=1)
            sim.deploy(is_interrupted, name="dev")
            sim.trigger("is-interrupted/dev")
            with pytest.raises(KeyboardInterrupt):
                sim.advance(hours=1)
            assert len(sim.runs("job", state="Completed")) == 6
            sim.advance(hours=1)
            assert len(sim.runs("job", state="Completed")) >= 11
    finally:
        signal.signal(signal.SIGINT, before)


# -- the cache -------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own, filled with a copy of the real one's template."""
    whole = database_template().read_bytes()
    monkeypatch.setenv("PREFECT_SIMULATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(template, "_migrate", lambda url: _path(url).write_bytes(whole))
    return tmp_path / "cache"


def _path(url):
    return template.Path(url.removeprefix("sqlite+aiosqlite:///"))


DAMAGES = {
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:20_000]),
    "empty": lambda file: file.write_bytes(b""),
    "of zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "one byte": lambda file: file.write_bytes(file.read_bytes()[:-1] + b"?"),
    "a folder": lambda file: (file.unlink(), (file / "in").mkdir(parents=True)),
    "a link to nothing": lambda file: (file.unlink(), file.symlink_to("nothing")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_anew(cache, damage):
    first = database_template()
    assert database_template() == first
    whole = first.read_bytes()
    DAMAGES[damage](first)
    assert database_template().read_bytes() == whole
    assert [file.name for file in cache.iterdir()] == [first.name]


def test_what_migrates_may_die_and_leaves_nothing_that_stays(cache, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(template, "_migrate", lambda url: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            database_template()
    assert list(cache.iterdir()) == []
    assert sqlite3.connect(database_template()).execute("select count(*) from flow").fetchone()
    assert cache_folder() == cache


def test_two_may_make_the_cache_at_once(cache):
    found = []
    threads = [threading.Thread(target=lambda: found.append(database_template())) for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert list(cache.iterdir()) == [found[0]]


# -- folders ---------------------------------------------------------------------------------------


def test_a_folder_is_removed_by_the_next_start_if_its_owner_was_killed(tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from simulator.folders import throw_away
with throw_away("x-", Path({str(tmp_path)!r})) as folder:
    (folder / "file").write_text("here")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "file").read_text() == "here"
    (tmp_path / "x-of-somebody-else").mkdir()
    with throw_away("x-", tmp_path) as first, throw_away("x-", tmp_path) as second:
        assert not left.exists()
        assert first.exists()
        assert second.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["x-of-somebody-else"]


def test_nothing_is_imported_from_a_folder_that_is_gone(tmp_path):
    before = sys.path[:]
    with throw_away("x-", tmp_path) as folder:
        sys.path[:0] = [str(folder / "flows"), "elsewhere"]
    assert sys.path == ["elsewhere", *before]


def test_a_folder_whose_owner_died_before_it_was_locked_goes_after_a_day(tmp_path):
    old, young = tmp_path / "x-old", tmp_path / "x-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    with throw_away("x-", tmp_path):
        assert not old.exists()
        assert young.exists()


def test_a_simulation_lives_in_such_a_folder():
    with Simulation() as sim, (sim.folder / LOCK).open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
