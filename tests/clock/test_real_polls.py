"""A loop that looks for what a real process does lets virtual time pass as real time does, however it looks."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from prefect import flow

from simulator import Simulation
from simulator.instants import Real
from simulator.patches import polled

WRITES = (
    "import sys, time; time.sleep(0.7); open(sys.argv[1], 'w').write('half');"
    " time.sleep(0.3); open(sys.argv[1], 'a').write('whole')"
)
SAYS = [sys.executable, "-c", "import time; time.sleep(0.7); print('hello')"]


def exists(process, file):
    return os.path.exists(file)  # noqa: PTH110


def exists_by_path(process, file):
    return file.exists()


def has_a_size(process, file):
    return file.exists() and os.path.getsize(file) == 9  # noqa: PTH202


def is_listed(process, file):
    return os.listdir(file.parent)  # noqa: PTH208


def is_found_by_glob(process, file):
    return glob.glob(f"{file.parent}/*")  # noqa: PTH207


def is_among_the_files(process, file):
    return list(file.parent.iterdir())


def can_be_opened(process, file):
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def is_whole(process, file):
    with file.open("a+") as text:
        text.seek(0)
        return text.read() == "halfwhole"


def has_ended_by_waitid(process, file):
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def has_ended_by_wait4(process, file):
    return has_ended(process, os.wait4(process.pid, os.WNOHANG)[0])


def has_ended_by_wait3(process, file):
    return has_ended(process, os.wait3(os.WNOHANG)[0])


def has_ended_by_waitpid_of_any(process, file):
    return has_ended(process, os.waitpid(-1, os.WNOHANG)[0])


def has_ended_by_waitpid_of_its_group(process, file):
    return has_ended(process, os.waitpid(0, os.WNOHANG)[0])


def has_ended(process, ended):
    if ended:
        process.returncode = 0
    return ended


def has_ended_by_proc(process, file):
    return Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "Z"


def has_ended_by_psutil(process, file):
    return psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE


LOOKS = [
    exists, exists_by_path, has_a_size, is_listed, is_found_by_glob, is_among_the_files,
    can_be_opened, is_whole, has_ended_by_waitid, has_ended_by_wait4, has_ended_by_wait3,
    has_ended_by_waitpid_of_any, has_ended_by_waitpid_of_its_group, has_ended_by_psutil,
    pytest.param(
        has_ended_by_proc,
        marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux alone has it"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("looks", LOOKS)
def test_what_a_process_does_takes_the_time_that_it_takes(run, tmp_path, looks):
    def polls():
        with subprocess.Popen([sys.executable, "-c", WRITES, tmp_path / "file"]) as process:
            while not looks(process, tmp_path / "file"):
                time.sleep(1)

    assert 1 <= run(polls) <= 10


@pytest.mark.parametrize("spawn", [os.posix_spawn, os.posix_spawnp])
def test_a_process_by_posix_spawn_is_one_as_well(run, tmp_path, spawn):
    def polls():
        command = [sys.executable, "-c", WRITES, str(tmp_path / "file")]
        pid = spawn(sys.executable, command, dict(os.environ))
        while not (tmp_path / "file").exists():
            time.sleep(1)
        os.waitpid(pid, 0)

    assert 1 <= run(polls) <= 10


def read_by_number(file):
    try:
        return os.read(file.fileno(), 100)
    except BlockingIOError:
        return b""


def read_a_line(file):
    return file.readline()


def read_some(file):
    return file.read(3)


def read_all(file):
    return file.read()


@pytest.mark.parametrize(
    ("reads", "buffering"),
    [
        *((read_by_number, -1), (read_some, 0), (read_some, -1), (read_a_line, -1)),
        *((read_all, 0), (read_all, -1)),
    ],
)
def test_a_pipe_that_does_not_block_is_waited_for(run, reads, buffering):
    def polls():
        with subprocess.Popen(SAYS, stdout=subprocess.PIPE, bufsize=buffering) as process:
            os.set_blocking(process.stdout.fileno(), False)
            while not reads(process.stdout):
                time.sleep(1)

    assert 1 <= run(polls) <= 10


def test_who_looks_for_nothing_sleeps_in_virtual_time_beside_a_process(run, tmp_path):
    def sleeps():
        with subprocess.Popen(["sleep", "60"]) as process:
            (tmp_path / "file").exists()
            time.sleep(1)  # is the one that follows a look
            for _ in range(24):
                time.sleep(3600)
            process.kill()

    before = Real.monotonic()
    assert run(sleeps) == 24 * 3600 + 1
    assert Real.monotonic() - before < 30


def test_a_look_after_the_end_of_the_process_is_none_for_what_it_does(run, tmp_path):
    def sleeps():
        with subprocess.Popen(["true"]) as process:
            process.wait()
            for _ in range(24):
                (tmp_path / "file").exists()
                time.sleep(3600)

    before = Real.monotonic()
    assert run(sleeps) == 24 * 3600
    assert Real.monotonic() - before < 30


def test_another_thread_may_start_a_process_while_a_file_is_looked_at(monkeypatch, tmp_path):
    has_ended = polled._has_ended
    others = []

    def meanwhile(pid):
        if len(others) < 2:
            others.append(subprocess.Popen(["true"]))
        return has_ended(pid)

    monkeypatch.setattr(polled, "_has_ended", meanwhile)

    @flow
    def looks():
        child = subprocess.Popen(["sleep", "0.2"])
        while not (tmp_path / "result").exists() and child.poll() is None:
            time.sleep(1)
        return len(others)

    with Simulation() as sim:
        assert sim.run(looks).result == 2
    for other in others:
        other.wait()


@flow
def has_a_child():
    with subprocess.Popen(["sleep", "60"]) as process:
        time.sleep(24 * 3600)
        process.kill()


@flow
def waits_for_any(forked):
    if forked:
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
    else:
        subprocess.run(["true"], check=True)
    for _ in range(20):
        os.wait3(os.WNOHANG)
        time.sleep(3600)


@pytest.mark.parametrize("forked", [False, True])
def test_a_child_of_one_run_is_none_that_another_waits_for(forked):
    before = Real.monotonic()
    with Simulation() as sim:
        sim.deploy(has_a_child, name="dev")
        sim.deploy(waits_for_any, name="dev", parameters={"forked": forked})
        one = sim.trigger("has-a-child/dev")
        sim.advance(minutes=1)
        other = sim.trigger("waits-for-any/dev")
        sim.advance(hours=25)
        for run_id in (one, other):
            (run,) = [run for run in sim.runs() if run.id == run_id]
            assert run.state == "Completed", run.message
    assert Real.monotonic() - before < 50


@flow
def waits_for_its_fork():
    child = os.fork()
    if not child:
        Real.sleep(0.7)
        os._exit(0)
    polls = 0
    while not os.wait3(os.WNOHANG)[0]:
        time.sleep(1)
        polls += 1
    assert 1 <= polls <= 10


def test_a_child_by_fork_is_one_as_well():
    with Simulation() as sim:
        run = sim.run(waits_for_its_fork)
        assert run.state == "Completed", run.message
